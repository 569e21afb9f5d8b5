"""The head of a session request, and the environ made of it."""
import sys
from urllib.parse import unquote

from . import body, response

# The proxy's own limits are far below; a longer head is not one.
_LARGEST = 1 << 20

_NO_BODY = body.NoBody(None)


def template():
    """What the environs of all requests have in common."""
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": _NO_BODY,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": response.FileWrapper,
    }


def read(connection, common):
    """Read a request's head; return its environ and the body that is still in
    the connection. Without an environ the connection has ended.
    """
    data = connection.rest or connection.socket.recv(65536)

    # A netstring: LENGTH ":" (NAME NUL VALUE NUL)... ","
    while True:
        colon = data.find(b":", 0, 8)
        if colon > 0:
            end = colon + 1 + int(data[:colon])
            if end < len(data):
                break
        if len(data) > _LARGEST or (colon < 0 and len(data) >= 8):
            raise ValueError("what came is not a request of the session protocol")
        more = connection.socket.recv(65536)
        if not more:
            return None, None
        data += more

    fields = iter(data[colon + 1:end].decode("latin-1").split("\0"))
    connection.rest = data[end + 1:]
    environ = common.copy()
    environ.update(zip(fields, fields))

    rest = _NO_BODY
    length = environ["CONTENT_LENGTH"]
    if length != "0":
        rest = _body(environ, connection, length)
    path = environ["PATH_INFO"]
    if "%" in path:
        environ["PATH_INFO"] = unquote(path, "latin-1")
    if "HTTPS" in environ:
        environ["wsgi.url_scheme"] = "https"
    return environ, rest


def _body(environ, connection, length):
    if length:
        environ["wsgi.input"] = sized = body.SizedBody(connection, int(length))
        return sized
    # WSGI has no body of unknown length: Django, for one, takes it for empty.
    # So its length is found out before the application sees the request.
    del environ["TRANSFER_ENCODING"]
    environ["wsgi.input"], size = body.ChunkedBody(connection).spool()
    environ["CONTENT_LENGTH"] = str(size)
    return _NO_BODY
