"""A WSGI application without a framework."""
import hashlib
import os
import time
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, unquote_to_bytes

PAGE = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>wsgi</title>
  </head>
  <body>
    <h1>Hello from wsgi</h1>
    <form action="/form" method="post">
      <label>Name <input name="name"></label>
      <button>Send</button>
    </form>
  </body>
</html>
"""


def home(environ, start_response):
    return respond(start_response, PAGE, content_type="text/html; charset=utf-8")


def form(environ, start_response):
    size = int(environ.get("CONTENT_LENGTH") or 0)
    fields = parse_qs(environ["wsgi.input"].read(size).decode())
    return respond(start_response, "name=" + fields["name"][0])


def upload(environ, start_response):
    digest = hashlib.sha256()
    for piece in iter(lambda: environ["wsgi.input"].read(65536), b""):
        digest.update(piece)
    return respond(start_response, digest.hexdigest())


def stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return (bytes([i % 256]) * 65536 for i in range(320))


def redirect(environ, start_response):
    start_response("302 Found", [("Location", "/"), ("Content-Length", "0")])
    return []


def cookie(environ, start_response):
    cookies = SimpleCookie(environ.get("HTTP_COOKIE", ""))
    seen = cookies["seen"].value if "seen" in cookies else "none"
    return respond(start_response, "seen=" + seen, extra=[("Set-Cookie", "seen=yes; Path=/")])


def query(environ, start_response):
    # As bytes: what was sent need not be UTF-8.
    pairs = (pair.partition("=") for pair in environ["QUERY_STRING"].split("&"))
    value = next((value for name, _, value in pairs if name == "q"), "")
    return respond(start_response, b"q=" + unquote_to_bytes(value.replace("+", " ").encode("latin-1")))


def error(environ, start_response):
    raise RuntimeError("deliberate failure")


def pid(environ, start_response):
    return respond(start_response, str(os.getpid()))


def sleep(environ, start_response):
    seconds = parse_qs(environ["QUERY_STRING"])["seconds"][0]
    time.sleep(float(seconds))
    return respond(start_response, "slept " + seconds)


ROUTES = {
    ("GET", "/"): home,
    ("POST", "/form"): form,
    ("POST", "/upload"): upload,
    ("GET", "/stream"): stream,
    ("GET", "/redirect"): redirect,
    ("GET", "/cookie"): cookie,
    ("GET", "/query"): query,
    ("GET", "/error"): error,
    ("GET", "/pid"): pid,
    ("GET", "/sleep"): sleep,
}


def application(environ, start_response):
    method = environ["REQUEST_METHOD"]
    view = ROUTES.get(("GET" if method == "HEAD" else method, environ["PATH_INFO"]))
    if view is None:
        return respond(start_response, "Not Found\n", status="404 Not Found")
    return view(environ, start_response)


def respond(start_response, body, status="200 OK", content_type="text/plain; charset=utf-8", extra=()):
    if isinstance(body, str):
        body = body.encode()
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body))), *extra])
    return [body]
