"""One connection of a proxy: bytes in, bytes out."""
import socket

# Up to this size it costs less to copy the parts of a message together than to
# hand them to the kernel one by one.
_JOIN = 16384

_CHUNK = 65536


class Connection:
    """Bytes read but not used yet stay in rest.

    closing says that no other request is to be read; broken, that the peer is
    gone, so that whatever raised an error after that did so for this reason.
    """

    __slots__ = ("socket", "rest", "closing", "broken")

    def __init__(self, accepted):
        self.socket = accepted
        self.rest = b""
        self.closing = False
        self.broken = False

    def read(self, limit):
        """Return at least one byte and at most limit."""
        if self.rest:
            data, self.rest = self.rest[:limit], self.rest[limit:]
            return data
        return self._receive(limit)

    def read_line(self):
        """Return the next line of the chunked coding, with its end."""
        while True:
            end = self.rest.find(b"\n") + 1
            if end:
                line, self.rest = self.rest[:end], self.rest[end:]
                return line
            if len(self.rest) > _CHUNK:
                raise ValueError("a line of the chunked coding is too long")
            self.rest += self._receive(_CHUNK)

    def read_present(self):
        """Take into rest what has arrived already, without waiting."""
        try:
            self.rest += self.socket.recv(_CHUNK, socket.MSG_DONTWAIT)
        except OSError:
            pass  # nothing there; if the peer is gone, the next read tells

    def _receive(self, limit):
        try:
            data = self.socket.recv(limit)
        except OSError:
            self.broken = self.closing = True
            raise
        if not data:
            self.broken = self.closing = True
            raise ConnectionResetError("the client went away before the end of the request body")
        return data

    def send(self, *parts):
        """Send all parts, in one system call if the kernel has room."""
        try:
            size = sum(map(len, parts))
            if size <= _JOIN:
                sent = self.socket.send(b"".join(parts))
            else:
                sent = self.socket.sendmsg(parts)
            if sent != size:  # a signal came between
                self.socket.sendall(memoryview(b"".join(parts))[sent:])
        except OSError:
            self.broken = self.closing = True
            raise

    def send_file(self, descriptor, offset, count):
        """Send count bytes of a file; return how many there were."""
        from os import sendfile

        done = 0
        try:
            while done < count:
                sent = sendfile(self.socket.fileno(), descriptor, offset + done, count - done)
                if not sent:
                    break
                done += sent
        except OSError:
            self.broken = self.closing = True
            raise
        return done
