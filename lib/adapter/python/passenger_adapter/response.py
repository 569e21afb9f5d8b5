"""start_response, write, and what is sent for what the application returns."""
import os
import re
import stat
import sys
import time

from . import load

_PASS, _FILE, _LENGTH, _HOP, _BAD = range(5)

# What each header name seen so far is. Names are few, and looking one up costs
# less than checking it.
_kinds = {}
_KINDS_MOST = 1000

# A server's business, which an application can only get wrong.
_HOP_BY_HOP = ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection")

# What names a file that the server sends in the body's place.
_NAME_A_FILE = ("x-sendfile", "x-accel-redirect")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")

# How long an application may go on writing to a response that has ended.
_WRITES_ON = 1.0

# What would end a header early.
_BROKEN = re.compile(r"[\r\n\0]")

_FAILED = b"500 Internal Server Error: the application failed; its output says why.\n"


def _kind(name):
    if type(name) is not str or not _TOKEN.match(name):
        return _BAD
    lower = name.lower()
    kind = _LENGTH if lower == "content-length" else _HOP if lower in _HOP_BY_HOP else _FILE if lower in _NAME_A_FILE else _PASS
    if len(_kinds) < _KINDS_MOST:
        _kinds[name] = kind
    return kind


def _sound(headers):
    """Return the headers without those that no response can have."""
    kept = []
    for name, value in headers:
        if type(value) is not str or _kind(name) is _BAD:
            continue  # that was said
        if _BROKEN.search(value) or not _is_latin(value):
            _say_dropped(name, value)
        else:
            kept.append((name, value))
    return kept


def _promises_nothing(headers):
    """Say whether the length that the headers announce is none."""
    return any(value == "0" and str(name).lower() == "content-length" for name, value in headers or ())


def _say_dropped(name, value):
    sys.stderr.write("passenger: the header %.200r is not sent: its name or value, %.200r, is not one\n" % (name, value))


def _is_latin(text):
    try:
        return text.isascii() or bool(text.encode("latin-1"))
    except UnicodeEncodeError:
        return False


class FileWrapper:
    """wsgi.file_wrapper: sent by sendfile(2) if it holds a regular file.

    It is its own iterator, as wsgiref's is: what cuts a range out of it, as
    Werkzeug does, seeks in the iterator.
    """

    def __init__(self, filelike, block_size=65536):
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        data = self.filelike.read(self.block_size)
        if not data:
            raise StopIteration
        return data

    def seekable(self):
        if hasattr(self.filelike, "seekable"):
            return self.filelike.seekable()
        return hasattr(self.filelike, "seek")

    def seek(self, *args):
        return self.filelike.seek(*args)

    def tell(self):
        return self.filelike.tell()

    def extent(self):
        """Return descriptor, offset and count of what is left of the file, or
        None if it is not one that the kernel can send.
        """
        try:
            descriptor = self.filelike.fileno()
            offset = self.filelike.tell()
            info = os.fstat(descriptor)
        except (AttributeError, OSError, ValueError):
            return None  # io.BytesIO, a socket, an archive's member
        if not stat.S_ISREG(info.st_mode) or info.st_size == 0:
            return None  # the kernel makes some files, as in /proc, when they are read
        return descriptor, offset, max(info.st_size - offset, 0)


class Response:
    """The answer to one request.

    The head is sent with the first byte of the body, as late as WSGI allows.
    Every response is delimited: by the length that the application gave or
    that can be known, else by the chunked coding. When its last byte is sent,
    the proxy takes the process for free: an application that would go on is
    stopped then, since its iterator may have no end.
    """

    __slots__ = ("_connection", "_body", "_is_head", "_status", "_headers", "_sent", "_silent", "_room", "_ended")

    def __init__(self, connection, body, is_head):
        self._connection = connection
        self._body = body  # of the request
        self._is_head = is_head
        self._status = None
        self._headers = None
        self._sent = False  # the head is
        self._silent = False  # no body is sent, whatever the application makes
        self._room = None  # bytes still to send; None in the chunked coding
        self._ended = 0  # when the chunked coding ended, or a write first came behind the last byte

    def start(self, status, headers, exc_info=None):
        """The start_response of PEP 3333."""
        if exc_info:
            try:
                if self._sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it holds this frame
        elif self._status is not None:
            raise AssertionError("start_response was called a second time without exc_info")
        self._status = status
        self._headers = headers
        return self.write

    def send(self, result):
        """Send what the application returned."""
        kind = type(result)
        if (kind is list or kind is tuple) and not self._sent:
            self._send_whole(result[0] if len(result) == 1 else b"".join(result))
            return
        extent = result.extent() if kind is FileWrapper and not self._sent else None
        if extent:
            self._send_file(*extent)
            return
        for data in result:
            # The step behind the last byte is the application's own, to clean
            # up; what it makes there is of no use, and the last of it.
            surplus = self._is_over()
            if data or self._is_bodiless():
                self._send_part(data)
            if surplus or self._silent:
                break
        self._end()

    def _is_bodiless(self):
        """Say whether the head is still to be sent and is all there will be."""
        return not self._sent and (self._is_head or str(self._status)[:3] in ("204", "304") or _promises_nothing(self._headers))

    def _is_over(self):
        """Say whether the last byte was sent."""
        return self._sent and (self._silent or self._room == 0)

    def write(self, data):
        """Send data before returning: the write callable of PEP 3333."""
        over = self._is_over()
        self._send_part(data)
        if over and data:
            self._bound_writes()

    def _bound_writes(self):
        """Let an application that writes behind the last byte come to its end,
        but not for ever.
        """
        now = time.monotonic()
        self._ended = self._ended or now
        if now - self._ended > _WRITES_ON:
            raise BrokenPipeError("the response has ended: it has no body, or its Content-Length was sent")

    def _send_part(self, data):
        if not isinstance(data, bytes):
            raise TypeError("the body must be made of bytes, not of %s" % type(data).__name__)
        head = b"" if self._sent else self._head(None)
        if self._silent or not data:
            data = b""
        elif self._room is None:
            self._connection.send(b"%s%x\r\n" % (head, len(data)), data, b"\r\n")
            return
        else:
            data = self._fit(data)
        if head or data:
            self._connection.send(head, data)

    def _send_whole(self, data):
        if not isinstance(data, bytes):
            raise TypeError("the body must be made of bytes, not of %s" % type(data).__name__)
        head = self._head(len(data))
        if self._silent:
            self._connection.send(head)
            return
        if len(data) == self._room:
            self._room = 0
            self._connection.send(head, data)
            return
        self._connection.send(head, self._fit(data))
        self._end()

    def _send_file(self, descriptor, offset, count):
        self._connection.send(self._head(count))
        if not self._silent:
            count = min(count, self._room)
            self._room -= self._connection.send_file(descriptor, offset, count)
        self._end()

    def _fit(self, data):
        if len(data) > self._room:
            if not self._ended:
                sys.stderr.write("passenger: the response is longer than its Content-Length; the rest is not sent\n")
            data = data[:self._room]
        self._room -= len(data)
        return data

    def _end(self):
        if not self._sent:
            self._connection.send(self._head(0))
        if self._silent:
            return
        if self._room is None:
            self._room, self._ended = 0, time.monotonic()
            self._connection.send(b"0\r\n\r\n")
        elif self._room:
            self._connection.closing = True
            sys.stderr.write("passenger: the response is %d bytes shorter than its Content-Length\n" % self._room)

    def _head(self, known):
        """Make the head, and settle how the body is delimited. known is the
        body's length if it can be known.
        """
        if self._status is None:
            raise AssertionError("the application sent a body before it called start_response")
        code = _code(self._status)
        lines = ["HTTP/1.1 " + self._status]
        given, file_named = None, False
        for name, value in self._headers:
            kind = _kinds.get(name) if type(value) is str else _BAD
            if kind is None:
                kind = _kind(name)
            if kind is _LENGTH:
                kind, given = (_LENGTH, int(value)) if value.isascii() and value.isdigit() else (_BAD, given)
            elif kind <= _FILE:
                lines.append(name + ": " + value)
                file_named = file_named or kind is _FILE
            if kind is _BAD:
                _say_dropped(name, value)

        if file_named and known == 0:
            given = None  # the file's, as Werkzeug gives it

        self._silent = self._is_head or code == 204 or code == 304
        if self._silent:
            # What a GET would have had: said only where it is known.
            if given is None and code == 200:
                given = known or None
            if given is not None and code != 204:
                lines.append("Content-Length: %d" % given)
        else:
            self._room = known if given is None else given
            lines.append("Transfer-Encoding: chunked" if self._room is None else "Content-Length: %d" % self._room)
        if self._connection.closing or not self._body.is_in_hand():
            self._connection.closing = True
            lines.append("Connection: close")

        text = "\r\n".join(lines)
        breaks = len(lines) - 1
        if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text or not _is_latin(text):
            self._headers = _sound(self._headers)
            return self._head(known)
        head = (text + "\r\n\r\n").encode("latin-1")
        self._sent = True
        return head

    def fail(self, error):
        """Answer for an error that the application raised."""
        if self._connection.broken:
            return  # the client is gone, and that is the error
        load.print_backtrace(error)
        if self._sent:
            # Without its end, the response cannot pass for a whole one. If it
            # has it, the next request may be on its way.
            self._connection.closing = self._connection.closing or not self._is_over()
            return
        self._status = "500 Internal Server Error"
        self._headers = [("Content-Type", "text/plain; charset=utf-8")]
        try:
            self._send_whole(_FAILED)
        except OSError:
            pass  # the peer left now; the connection is marked


def _code(status):
    if not isinstance(status, str) or not status[:3].isdigit() or status[3:4] not in ("", " "):
        raise ValueError('%r is not a status such as "200 OK"' % (status,))
    if _BROKEN.search(status) or not _is_latin(status):
        raise ValueError("the status %r cannot be sent" % status)
    code = int(status[:3])
    if not 200 <= code <= 599:
        raise ValueError("a WSGI application cannot answer with status %d" % code)
    return code
