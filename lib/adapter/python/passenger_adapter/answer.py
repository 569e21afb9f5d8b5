"""The end of an answer of an ASGI application, which may know of none."""
import asyncio
import sys
import time

from . import asgi_forks

# How long an application may go on sending behind the last byte.
_SENDS_ON = 1.0

_END = {"type": "http.response.body", "body": b"", "more_body": False}


class Ended(OSError):
    """Raised by send when there is no client for what is sent, as the
    specification has it for one that went away.
    """

    __module__ = "passenger"


class Answer:
    """The send of one HTTP request. When the last byte of the answer is sent,
    or its head if there is no body, the proxy gives the connection to the next
    request: so the server is told that the answer is complete, and an
    application that goes on for ever is stopped.
    """

    __slots__ = ("_send", "_is_head", "_left", "_over", "_since", "stopped")

    def __init__(self, send, method):
        self._send = send
        self._is_head = method == "HEAD"
        self._left = None  # bytes still to send, None if that is not known
        self._over = False
        self._since = None  # when something first came behind the end
        self.stopped = False  # Ended was raised

    async def send(self, message):
        kind = message["type"]
        if asgi_forks.is_child():
            asgi_forks.leave()  # the answer is its parent's to give
        if self._over:
            await self._behind_the_end(message)
        elif kind == "http.response.start":
            await self._start(message)
        elif kind == "http.response.body" and self._left is not None:
            await self._sized(message)
        else:
            await self._send(message)

    async def _start(self, message):
        bodiless = self._is_head or message["status"] in (204, 304)
        if not bodiless:
            self._left = _length(message.get("headers", ()))
        await self._send(message)
        if bodiless and not message.get("trailers"):
            self._over = True
            await self._send(_END)

    async def _sized(self, message):
        body = message.get("body", b"")
        if len(body) < self._left:
            self._left -= len(body)
            await self._send(message)
            return
        if len(body) > self._left:
            sys.stderr.write("passenger: the response is longer than its Content-Length; the rest is not sent\n")
        self._over = True
        await self._send({"type": "http.response.body", "body": body[:self._left], "more_body": False})

    async def _behind_the_end(self, message):
        if not message.get("more_body", False):
            return
        now = time.monotonic()
        if self._since is None:
            self._since = now
        if now - self._since > _SENDS_ON:
            self.stopped = True
            raise Ended("the response has ended: it has no body, or its Content-Length was sent")
        await asyncio.sleep(0)  # a loop of sends must not keep the others from running


def _length(headers):
    for name, value in headers:
        if bytes(name).lower() == b"content-length" and bytes(value).isdigit():
            return int(value)
    return None
