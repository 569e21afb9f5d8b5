"""The head of a session request, and the environ made of it."""
import sys
from urllib.parse import unquote

from . import body, response

# The proxy's own limits are far below; a longer head is not one.
_LARGEST = 1 << 20

_NO_BODY = body.NoBody(None)

# The names of requests so far, as they came and apart from each other. Clients choose
# names, but most come with one of a few lists of them.
_lists = {}
_LISTS_MOST = 256
_LONGEST = 4096


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

    # A netstring of names and values.
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

    fields = data[colon + 1:end].decode("latin-1").split("\0")
    connection.rest = data[end + 1:]
    environ = common.copy()
    environ.update(_pairs(fields))

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


def _pairs(fields):
    """Return the names with their values. They come joined by commas, apart from
    the values, or, as from proxies that do not know this, one before each value.
    """
    names = _lists.get(fields[0])
    if names is None:
        if "," not in fields[0]:
            pairs = iter(fields)
            return zip(pairs, pairs)
        names = _split(fields[0])
    if len(fields) != len(names) + 2:
        raise ValueError("a header block has other numbers of names and values")
    return zip(names, fields[1:])


def _split(text):
    # A proxy marks a request that another may follow before its answer is
    # complete. Here that makes no difference.
    names = text.lstrip("+").split(",")
    if len(text) <= _LONGEST:
        if len(_lists) >= _LISTS_MOST:
            _lists.clear()
        _lists[text] = names
    return names


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
