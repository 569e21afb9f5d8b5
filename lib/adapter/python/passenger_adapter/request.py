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
    """Read a request's head and return its environ, or None if the connection
    has ended. What came behind the head is in connection.rest.
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
            return None
        data += more

    fields = iter(data[colon + 1:end].decode("latin-1").split("\0"))
    connection.rest = data[end + 1:]
    environ = common.copy()
    environ.update(zip(fields, fields))

    length = environ["CONTENT_LENGTH"]
    if length != "0":
        _expect_body(environ, connection, length)
    path = environ["PATH_INFO"]
    if "%" in path:
        environ["PATH_INFO"] = unquote(path, "latin-1")
    if "HTTPS" in environ:
        environ["wsgi.url_scheme"] = "https"
    return environ


def _expect_body(environ, connection, length):
    if length:
        environ["wsgi.input"] = body.SizedBody(connection, int(length))
        return
    # The length is not known. Frameworks look for the coding where servers
    # that speak HTTP with them have it.
    environ["HTTP_TRANSFER_ENCODING"] = environ.pop("TRANSFER_ENCODING")
    environ["wsgi.input"] = body.ChunkedBody(connection)
