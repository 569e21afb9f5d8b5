"""wsgi.input: the body of one request, and never a byte beyond it."""

_CHUNK = 65536
_WHOLE = 1 << 18


class Body:
    """A file of the bytes that _some returns until it returns none.

    A client that goes away in the middle raises ConnectionResetError: what
    was received must not pass for the whole.
    """

    __slots__ = ("_connection", "_buffer", "_at")

    def __init__(self, connection):
        self._connection = connection
        self._buffer = b""
        self._at = 0

    def _some(self, limit):
        """Return from 1 to limit bytes, or none at the end."""
        raise NotImplementedError

    def read(self, size=-1):
        whole = size is None or size < 0
        pieces = []
        while whole or size > 0:
            if self._at < len(self._buffer):
                end = len(self._buffer) if whole else self._at + size
                piece = self._buffer[self._at:end]
                self._at += len(piece)
            else:
                piece = self._some(_WHOLE if whole else min(size, _WHOLE))
                if not piece:
                    break
            pieces.append(piece)
            if not whole:
                size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readline(self, size=-1):
        bounded = size is not None and size >= 0
        pieces = []
        while not bounded or size > 0:
            if self._at >= len(self._buffer):
                self._buffer, self._at = self._some(_CHUNK), 0
                if not self._buffer:
                    break
            end = self._buffer.find(b"\n", self._at) + 1
            stop = end or len(self._buffer)
            if bounded:
                stop = min(stop, self._at + size)
                size -= stop - self._at
            pieces.append(self._buffer[self._at:stop])
            self._at = stop
            if stop == end:
                break
        return b"".join(pieces)

    def readlines(self, hint=-1):
        lines = []
        size = 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint is not None and 0 < hint <= size:
                break
        return lines

    def __iter__(self):
        return iter(self.readline, b"")

    def close(self):
        """Files have it; the body ends with the request."""


class NoBody(Body):
    """The body of a request that has none. One serves all requests."""

    __slots__ = ()

    def _some(self, limit):
        return b""

    def is_in_hand(self):
        return True

    def skip(self):
        pass


class SizedBody(Body):
    """A body whose length the request told."""

    __slots__ = ("_left",)

    def __init__(self, connection, length):
        Body.__init__(self, connection)
        self._left = length

    def _some(self, limit):
        if not self._left:
            return b""
        data = self._connection.read(min(limit, self._left))
        self._left -= len(data)
        return data

    def is_in_hand(self):
        """Say whether skip will find the end of the body without waiting."""
        if _CHUNK >= self._left > len(self._connection.rest):
            self._connection.read_present()
        return self._left <= len(self._connection.rest)

    def skip(self):
        """Drop what the application did not read."""
        if self._left:
            self._connection.rest = self._connection.rest[self._left:]
            self._left = 0


class ChunkedBody(Body):
    """A body in the chunked coding of HTTP/1.1."""

    __slots__ = ("_left", "_ended")

    def __init__(self, connection):
        Body.__init__(self, connection)
        self._left = 0  # of the present chunk
        self._ended = False

    def _some(self, limit):
        if not self._left and not self._ended:
            self._next_chunk()
        if self._ended:
            return b""
        data = self._connection.read(min(limit, self._left))
        self._left -= len(data)
        if not self._left and self._connection.read_line() != b"\r\n":
            raise ValueError("a chunk of the request body does not end where it says")
        return data

    def _next_chunk(self):
        size = self._connection.read_line().partition(b";")[0]
        self._left = int(size, 16)
        if not self._left:
            while self._connection.read_line() not in (b"\r\n", b"\n"):
                pass  # trailer fields, for which WSGI has no place
            self._ended = True

    def spool(self):
        """Read all of the body and return it as a file, and its size."""
        from tempfile import SpooledTemporaryFile

        file = SpooledTemporaryFile(_WHOLE)
        size = 0
        for data in iter(lambda: self.read(_CHUNK), b""):
            file.write(data)
            size += len(data)
        file.seek(0)
        return file, size
