"""Answering several requests at once."""
import collections
import os
import queue
import select
import threading

from . import server


class ThreadedServer(server.Server):
    """A Server whose requests are answered by threads. The main thread waits for
    all connections and hands out those on which a request has arrived, in this
    order; so there may be more of them than threads.
    """

    def __init__(self, application, listener, threads):
        server.Server.__init__(self, application, listener)
        self._common["wsgi.multithread"] = True
        self._todo = queue.SimpleQueue()
        self._done = collections.deque()
        self._threads = [threading.Thread(target=self._work, name="request %d" % (i + 1)) for i in range(threads)]

    def run(self):
        for thread in self._threads:
            thread.start()
        server.Server.run(self)

    def _work(self):
        while True:
            connection = self._todo.get()
            if connection is None:
                return
            self._serve_all(connection)
            self._done.append(connection)
            try:
                os.write(self._waker, b"\0")
            except BlockingIOError:
                pass  # full: it will wake

    def _serve(self, connection):
        # Until it is taken back, only one thread touches the connection.
        self._poll.unregister(connection.socket.fileno())
        self._todo.put(connection)

    def _woken(self):
        while self._done:
            connection = self._done.popleft()
            self._poll.register(connection.socket.fileno(), select.POLLIN)
            if connection.closing:
                self._drop(connection)

    def _finish(self):
        for _ in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join()

    def _let_go(self):
        server.Server._let_go(self)
        self._todo = queue.SimpleQueue()
        self._todo.put(None)  # should the child ever come back to _work
