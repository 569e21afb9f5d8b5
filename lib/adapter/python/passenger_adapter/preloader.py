"""Forking a process that serves for each order that the spawner sends."""
import array
import json
import os
import signal
import socket
import sys
# Those of the system, taken before the application is loaded: gevent puts its
# own in their places, which leave work to a loop that does not run here.
from os import close, fork, waitpid
from select import POLLIN, poll
from socket import socket as Socket

# For hooks that the application's modules have in fork.
_FORK_SECONDS = 30


class Order:
    """A packet with five descriptors: stdout, stderr, listening socket, notify
    socket and gate. At the gate the spawner learns who the forked process is,
    and lets it go on.
    """

    def __init__(self, packet, descriptors):
        self.descriptors = descriptors
        self.id = str(json.loads(packet.decode()).get("id", ""))

    def is_whole(self):
        return bool(self.id) and len(self.descriptors) == 5

    def close(self):
        for descriptor in self.descriptors:
            close(descriptor)


class Promoted(Exception):
    """Raised in a process that was forked to be a preloader."""


class Preloader:
    """Answers each order with one packet, when the forked process exists or
    cannot.
    """

    def __init__(self, spawner, channel=None):
        self._spawner = spawner
        self._channel = channel or spawner.socket
        self._handlers = {}

    def run(self):
        """Serve orders until the spawner closes its end. Returns in each
        forked process, when it is to go on and the contract is its own: the
        gate if it is kept, else None.
        """
        # Until a forked process has handlers of its own, a signal ends it as it
        # ends the preloader. Python's would be dropped in a fork.
        for number in (signal.SIGTERM, signal.SIGINT):
            self._handlers[number] = signal.signal(number, signal.SIG_DFL)
        while True:
            order = self._next()
            if order is None:
                os._exit(0)
            if self._forked(order):
                return self._become(order)

    def promote(self):
        """Serve one order that came to a process through the gate that it has
        kept. Return whether there may be more; raise Promoted in the forked
        process.
        """
        order = self._next()
        if order is None:
            return False
        if self._forked(order):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self._become(order)
            raise Promoted
        return True

    def _forked(self, order):
        """Say whether this is the process that was forked for the order."""
        if not order.is_whole():
            error = "an order has an id and 5 descriptors, this one has %d" % len(order.descriptors)
        else:
            error = _fork_twice()
            if error is None:
                return True
        order.close()
        self._answer(order.id, error)
        return False

    def _next(self):
        size = array.array("i").itemsize
        try:
            packet, ancillary, _, _ = self._channel.recvmsg(4096, socket.CMSG_SPACE(16 * size))
        except ConnectionError:
            packet, ancillary = b"", []
        if not packet:
            return None
        descriptors = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(data[:len(data) - len(data) % size])
        return Order(packet, list(descriptors))

    def _answer(self, order_id, error):
        answer = {"id": order_id, "error": error} if error else {"id": order_id}
        try:
            self._channel.send(json.dumps(answer).encode())
        except OSError:
            pass  # the spawner is gone: the next read says so

    def _become(self, order):
        """Make the forked process one of its own."""
        stdout, stderr, listener, notify, gate = order.descriptors
        os.setsid()
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        self._spawner.replace(listener, notify)
        kept = Socket(fileno=os.dup(gate)) if _wait_at(gate) == b"k" else None
        order.close()
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        return kept


def _fork_twice():
    """Fork a process whose parent is not we: of the one in between, which
    exits at once, the spawner inherits it. Return None in the forked process;
    in the preloader what went wrong, or an empty string.
    """
    reading, writing = os.pipe()
    try:
        between = fork()
    except OSError as error:
        close(reading)
        close(writing)
        return "cannot fork: %s" % error.strerror
    if not between:
        close(reading)
        return _fork_between(writing)
    close(writing)
    try:
        return _outcome(reading, between)
    finally:
        close(reading)
        _reap(between)


def _fork_between(writing):
    try:
        if fork():
            os._exit(0)
    except OSError as error:
        os.write(writing, ("cannot fork: %s" % error.strerror).encode())
        os._exit(1)
    close(writing)
    return None


def _outcome(reading, between):
    answer = poll()
    answer.register(reading, POLLIN)
    if answer.poll(_FORK_SECONDS * 1000):
        return os.read(reading, 1024).decode()
    os.kill(between, signal.SIGKILL)
    return "cannot fork: no answer in %d s: a hook of os.register_at_fork hangs" % _FORK_SECONDS


def _reap(pid):
    try:
        waitpid(pid, 0)
    except ChildProcessError:
        pass  # the application ignores SIGCHLD, so that the kernel has reaped it


def _wait_at(gate):
    """Return the spawner's word: g, go on; or k, and keep the gate. An end
    without it means that the spawner is gone.
    """
    try:
        os.write(gate, b"h")
        word = os.read(gate, 1)
    except OSError:
        word = b""
    if word not in (b"g", b"k"):
        os._exit(0)
    return word


def close_databases():
    """Close what forked processes must not share, where it is known how."""
    django = sys.modules.get("django.db")
    if django and sys.modules["django.conf"].settings.configured:
        django.connections.close_all()


def renew_loop():
    """Give a forked process a loop of its own where gevent is loaded, which
    knows of forks only by the fork that it has put in place.
    """
    gevent = sys.modules.get("gevent")
    if gevent:
        gevent.reinit()


def reseed():
    """Give a forked process random numbers of its own. Python's module does it
    by itself; what seeds OpenSSL does too.
    """
    random = sys.modules.get("numpy.random")
    if random:
        random.seed()
