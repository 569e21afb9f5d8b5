"""What comes between a server and an ASGI application."""
import sys
import traceback

from . import answer, asgi_forks


class Application:
    """The application, as a server is to see it.

    started is called when the application has started up, as far as it knows
    of a lifespan. If it could not, failure is one line that says why.
    """

    def __init__(self, application, base, started):
        self._application = application
        self._base = base.rstrip("/")
        self._started = started
        self.failure = ""

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        _name_the_client(scope)
        if self._base:
            scope["root_path"] = self._base
        try:
            if scope["type"] == "http":
                await self._answer(scope, receive, answer.Answer(send, scope["method"]))
            else:
                await self._application(scope, receive, send)
        except BaseException as error:
            if asgi_forks.is_child():
                asgi_forks.leave(error)
            raise
        if asgi_forks.is_child():
            asgi_forks.leave()

    async def _answer(self, scope, receive, ours):
        try:
            await self._application(scope, receive, ours.send)
        except Exception:
            if not ours.stopped:
                raise  # else it is what the application made of being stopped

    async def _live(self, scope, receive, send):
        asked = False
        answered = False

        async def watched_receive():
            nonlocal asked
            message = await receive()
            asked = True
            return message

        async def watched_send(message):
            nonlocal answered
            if message["type"] == "lifespan.startup.complete":
                self._started()
                answered = True
            elif message["type"] == "lifespan.startup.failed":
                self.failure = _last_line(message.get("message", "")) or "it does not say why"
                sys.stderr.write((message.get("message", "") or self.failure).rstrip() + "\n")
                answered = True
            await send(message)

        try:
            await self._application(scope, watched_receive, watched_send)
        except Exception as error:
            if answered or self.failure:
                raise
            if asked:  # it knows what a lifespan is
                self.failure = _last_line("".join(traceback.format_exception_only(type(error), error)))
                traceback.print_exc()
                await send({"type": "lifespan.startup.failed", "message": self.failure})
            else:
                self._started()
            raise
        if not answered:
            self._started()  # it has no use for a lifespan


def _last_line(text):
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


def _name_the_client(scope):
    """Say whom the proxy serves. The connection is a unix socket, and what the
    proxy says in these headers it knows: a client's own do not get so far.
    """
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            address = value.decode("latin-1").rpartition(",")[2].strip()
            scope["client"] = (address, 0)
        elif name == b"x-forwarded-proto" and value == b"https":
            scope["scheme"] = "wss" if scope["type"] == "websocket" else "https"
