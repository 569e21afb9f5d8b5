"""The contract with passenger-spawn: what it hands down, what it is told."""
import os
import socket

LISTEN_FD = 3


class Spawner:
    """The listening socket, and the way to say that it is served.

    Taking it up removes every trace of the contract from the environment and
    keeps both descriptors from the programs that the application starts.
    """

    def __init__(self):
        if os.environ.pop("LISTEN_FDS", "") != "1":
            raise SystemExit("wsgi.py: no listening socket was handed down; start it through passenger-spawn")
        for name in ("LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET"):
            os.environ.pop(name, None)
        self._notify = int(os.environ.pop("PASSENGER_NOTIFY_FD", "-1"))
        if self._notify >= 0:
            os.set_inheritable(self._notify, False)
        os.set_inheritable(LISTEN_FD, False)
        self.listener = socket.socket(fileno=LISTEN_FD)

    def ready(self):
        """Say that requests are served from now on."""
        self._tell("READY=1")

    def failed(self, category, summary, advice):
        """Say why there will never be a request served."""
        import json

        # The spawner takes 8 KiB at most; the texts are far below, but for
        # an exception's message, which can be anything.
        report = {"category": category, "summary": summary[:1500], "advice": advice[:1500]}
        self._tell("X_PASSENGER_ERROR=" + json.dumps(report, ensure_ascii=False))

    def _tell(self, message):
        if self._notify < 0:
            return
        try:
            os.write(self._notify, message.encode("utf-8", "replace"))
        except OSError:
            pass  # a spawner that went away learns it from its successor
        os.close(self._notify)
        self._notify = -1
