"""The contract with passenger-spawn: what it hands down, what it is told."""
import contextlib
import os
import sys
# Those of the system, whatever the application puts in their places.
from os import close
from socket import socket as Socket

FIRST_FD = 3

# The variables of the contract.
_NAMES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "PASSENGER_NOTIFY_FD",
          "PASSENGER_PRELOADER_FD", "PASSENGER_THREADS")


class Spawner:
    """A socket, which is the listening one, and the way to say that it is
    served; in a preloader, the one on which its orders come.

    Taking it up removes every trace of the contract from the environment and
    keeps both descriptors from the programs that the application starts.
    """

    def __init__(self, preload=False):
        self._handed = {name: os.environ.pop(name) for name in _NAMES if name in os.environ}
        handed = self._handed.get("PASSENGER_PRELOADER_FD" if preload else "LISTEN_FDS", "")
        if handed != ("3" if preload else "1"):
            raise SystemExit(sys.argv[0] + ": no listening socket was handed down; start it through passenger-spawn")
        self.threads = int(self._handed.get("PASSENGER_THREADS", "1"))
        self._notify = int(self._handed.get("PASSENGER_NOTIFY_FD", "-1"))
        self._take_up()

    def handed_down(self):
        """The variables of the contract, for who takes it up in our place."""
        return self._handed

    @contextlib.contextmanager
    def inheritable(self):
        """Let what is executed meanwhile have the descriptors."""
        descriptors = [descriptor for descriptor in self.descriptors() if descriptor >= 0]
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        try:
            yield
        finally:
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)

    def _take_up(self):
        if self._notify >= 0:
            os.set_inheritable(self._notify, False)
        os.set_inheritable(FIRST_FD, False)
        self.socket = Socket(fileno=FIRST_FD)

    def replace(self, listener, notify):
        """Take up what a forked process has got instead."""
        self.socket.detach()
        os.dup2(listener, FIRST_FD)
        if self._notify < 0:
            self._notify = os.dup(notify)  # the number may be the application's by now
        else:
            os.dup2(notify, self._notify)
        self._take_up()

    def descriptors(self):
        return [FIRST_FD, self._notify]

    def ready(self, *more):
        """Say that requests are served from now on, and more about them."""
        self._tell("\n".join(["READY=1", *more]))
        self._end()

    def preloaded(self, warnings):
        """Say that orders are served from now on, and what may go wrong."""
        self._tell("\n".join(["READY=1"] + ["X_PASSENGER_WARNING=" + " ".join(text[:400].split()) for text in warnings[:16]]))

    def failed(self, category, summary, advice):
        """Say why there will never be a request served."""
        import json

        # The spawner takes 8 KiB at most; the texts are far below, but for
        # an exception's message, which can be anything.
        report = {"category": category, "summary": summary[:1500], "advice": advice[:1500]}
        self._tell("X_PASSENGER_ERROR=" + json.dumps(report, ensure_ascii=False))
        self._end()

    def _tell(self, message):
        if self._notify < 0:
            return
        try:
            os.write(self._notify, message.encode("utf-8", "replace"))
        except OSError:
            pass  # a spawner that went away learns it from its successor

    def _end(self):
        if self._notify >= 0:
            close(self._notify)
            self._notify = -1
