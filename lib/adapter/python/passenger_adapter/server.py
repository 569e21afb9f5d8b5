"""Accepting connections and answering requests, one at a time."""
import errno
import os
import select
import signal
import socket
import sys
import threading
import time

from . import load, request, response
from .connection import Connection


class Server:
    """Serves one application on one listening socket.

    Several proxies may hold a connection each: those that have a request
    waiting are served in turn.
    """

    def __init__(self, application, listener):
        self._application = application
        self._common = request.template()
        self._connections = {}
        self._others = {}  # what to call, by descriptor
        self._stopped_by = None  # the number of the signal
        self._listener = listener
        self._listener.setblocking(False)
        self._wake, self._waker = os.pipe()
        self._poll = select.poll()
        self._poll.register(listener.fileno(), select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)
        self._take_signals()
        self._masks = {}  # of the threads that are just forking
        os.register_at_fork(before=self._hold_signals, after_in_parent=self._release_signals, after_in_child=self._let_go)

    def watch(self, descriptor, call):
        """Call call between two requests when there is something to read, until
        it returns false.
        """
        self._others[descriptor] = call
        self._poll.register(descriptor, select.POLLIN)

    def run(self):
        """Serve until SIGTERM or SIGINT, then what has arrived by then.

        Then a handler that the application has for the signal is called.
        """
        wait = self._poll.poll
        while self._stopped_by is None:
            self._serve_ready(wait())
        while self._serve_ready(wait(0)):
            pass
        self._finish()
        handler = self._handlers.get(self._stopped_by)
        if callable(handler) and handler is not signal.default_int_handler:
            handler(self._stopped_by, None)

    def _serve_ready(self, events):
        """Serve all that have events; say whether any of it was a client's."""
        served = False
        for descriptor, _ in events:
            connection = self._connections.get(descriptor)
            if connection is not None:
                self._serve(connection)
            elif descriptor == self._wake:
                os.read(self._wake, 4096)
                self._woken()
                continue
            elif descriptor in self._others:
                if not self._others[descriptor]():
                    self._poll.unregister(descriptor)
                continue
            else:
                self._accept()
            served = True
        return served

    def _finish(self):
        """Called when no more is to be served."""

    def _woken(self):
        """Called when something was written to _waker."""

    def _accept(self):
        try:
            accepted, _ = self._listener.accept()
        except OSError as error:
            # The client is gone; or the application has used up all
            # descriptors, and present connections come first.
            if error.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(0.05)
            return
        self._connections[accepted.fileno()] = Connection(accepted)
        self._poll.register(accepted.fileno(), select.POLLIN)

    def _serve(self, connection):
        self._serve_all(connection)
        if connection.closing:
            self._drop(connection)

    def _serve_all(self, connection):
        """Answer the requests that have arrived, at least one."""
        self._serve_one(connection)
        while connection.rest and not connection.closing:
            self._serve_one(connection)

    def _serve_one(self, connection):
        environ = None
        try:
            environ, body = request.read(connection, self._common)
        except ConnectionError:
            pass  # the client is gone
        except (OSError, ValueError, KeyError) as error:
            sys.stderr.write("passenger: a request could not be read: %r\n" % error)
        connection.closing = environ is None or self._stopped_by is not None
        if environ is None:
            return

        answer = response.Response(connection, body, environ["REQUEST_METHOD"] == "HEAD")
        result = None
        try:
            result = self._application(environ, answer.start)
            answer.send(result)
        except BaseException as error:
            # SystemExit too: a request must not be able to end the process.
            answer.fail(error)
        if hasattr(result, "close"):
            try:
                result.close()
            except BaseException as error:
                load.print_backtrace(error)
        body.skip()

    def _drop(self, connection):
        descriptor = connection.socket.fileno()
        self._poll.unregister(descriptor)
        del self._connections[descriptor]
        try:
            # A program that the application started may have inherited the
            # connection and would keep it open.
            connection.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer was first
        connection.socket.close()

    def _take_signals(self):
        os.set_blocking(self._wake, False)
        os.set_blocking(self._waker, False)
        # Without it, a signal just before poll(2) would not end the wait.
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        self._handlers = {}
        for number in (signal.SIGTERM, signal.SIGINT):
            self._handlers[number] = signal.signal(number, self._stop)
            signal.siginterrupt(number, False)

    def _stop(self, number, _frame):
        self._stopped_by = number
        try:
            # Again, in case that the application took the wake-up descriptor.
            os.write(self._waker, b"\0")
        except OSError:
            pass  # full: it will wake

    def _hold_signals(self):
        # Python drops what a child receives before it is quite itself.
        self._masks[threading.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, self._handlers)

    def _release_signals(self):
        signal.pthread_sigmask(signal.SIG_SETMASK, self._masks.pop(threading.get_ident()))

    def _let_go(self):
        """Make a child that the application forked a process of its own: it
        holds no connection, and signals do to it what they did before.
        """
        if not self._handlers:
            return self._release_signals()  # a child of a child
        self._stopped_by = signal.SIGTERM  # should it ever come back to run
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._stop:
                signal.signal(number, handler or signal.SIG_DFL)
        self._handlers = {}
        for descriptor in [self._listener.fileno(), self._wake, *self._connections]:
            try:
                self._poll.unregister(descriptor)
            except KeyError:
                pass  # a thread has it
        for connection in self._connections.values():
            connection.socket.close()
        self._connections = {}
        self._listener.close()
        os.close(self._wake)
        os.close(self._waker)
        self._release_signals()
