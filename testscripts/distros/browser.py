"""A small browser for visitors of applications; see visitor_test.go.

A visitor is a program that defines functions named after what it can be asked
for (page, form, upload, stream, websocket, work), each taking a Browser, and
ends with browser.main(globals()).
"""

import html.parser
import http.client
import http.cookies
import io
import os
import re
import socket
import struct
import sys
import time
import urllib.parse
import uuid

MOST_REDIRECTS = 10
SECONDS = 60  # for one answer


class Page:
    """An answer that was read whole."""

    def __init__(self, path, answer, body):
        self.path = path
        self.status = answer.status
        self.headers = answer.headers
        self.body = body
        self.text = body.decode("utf-8", "replace")

    def expect(self, *patterns, status=200):
        """Fails unless the answer has this status, or one of these, and matches all patterns."""
        for pattern in patterns:
            if not re.search(pattern, self.text, re.DOTALL):
                sys.exit(f"{self.path}: status {self.status}, no {pattern!r} in: {self.told()}")
        if self.status not in (status if isinstance(status, tuple) else (status,)):
            sys.exit(f"{self.path}: got status {self.status}, want {status}: {self.told()}")
        return self

    def find(self, pattern):
        """Returns the first group of the pattern."""
        self.expect(pattern)
        return re.search(pattern, self.text, re.DOTALL).group(1)

    def told(self):
        """Returns the text of a page without its markup, or the end of it."""
        return re.sub(r"\s+", " ", re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", self.text))[-3000:]


class Forms(html.parser.HTMLParser):
    """The forms of a page: action, method and fields as they stand there."""

    def __init__(self, page):
        super().__init__()
        self.all = []
        self.select = self.area = None
        self.feed(page.text)

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if tag == "form":
            self.all.append({"action": a.get("action") or "", "method": a.get("method", "get").lower(), "fields": {}})
        if not self.all:
            return
        fields, name, kind = self.all[-1]["fields"], a.get("name"), a.get("type", "text").lower()
        if tag == "input" and name and kind not in ("submit", "image", "button", "file"):
            if kind not in ("checkbox", "radio") or "checked" in a:
                fields[name] = a.get("value") or ""
        elif tag == "textarea" and name:
            self.area = name
            fields[name] = ""
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select and ("selected" in a or self.select not in fields):
            fields[self.select] = a.get("value") or ""

    def handle_data(self, data):
        if self.area:
            self.all[-1]["fields"][self.area] += data

    def handle_endtag(self, tag):
        if tag == "textarea":
            self.area = None
        if tag == "select":
            self.select = None


class Browser:
    """Keeps cookies, follows redirects, fills in forms. It sends https as what
    a TLS front says."""

    def __init__(self, web):
        self.web = web
        self.cookies = {}
        self.headers = {"Host": "app.example.org"}

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(SECONDS)
        s.connect(self.web)
        return s

    def request(self, method, path, body=None, headers=(), follow=True):
        for _ in range(MOST_REDIRECTS):
            page = self.once(method, path, body, dict(headers))
            if not follow or page.status not in (301, 302, 303, 307) or "Location" not in page.headers:
                return page
            path = urllib.parse.urljoin("http://x" + path, page.headers["Location"])
            path = re.sub("^https?://[^/]*", "", path) or "/"
            if page.status != 307:
                method, body, headers = "GET", None, ()
        sys.exit(f"{path}: more than {MOST_REDIRECTS} redirects")

    def once(self, method, path, body, headers):
        c = http.client.HTTPConnection("localhost")
        c.sock = self.connect()
        sent = {**self.headers, **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        c.request(method, path.split("#")[0], body, sent)
        answer = c.getresponse()
        page = Page(f"{method} {path}", answer, answer.read())
        c.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, rest = line.partition("=")
            value = rest.split(";")[0]
            self.cookies[name] = value
            if not value.strip('"') or "max-age=0" in rest.lower():
                del self.cookies[name]
        return page

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, fields, files=(), headers=()):
        """Posts fields, and files as {name: (file name, type, bytes)}."""
        if not files:
            return self.request("POST", path, urllib.parse.urlencode(fields),
                                {"Content-Type": "application/x-www-form-urlencoded", **dict(headers)})
        mark = uuid.uuid4().hex
        body = io.BytesIO()
        for name, value in fields.items():
            body.write(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
        for name, (file, kind, data) in files.items():
            body.write(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
                       f"Content-Type: {kind}\r\n\r\n".encode() + data + b"\r\n")
        body.write(f"--{mark}--\r\n".encode())
        return self.request("POST", path, body.getvalue(), {"Content-Type": f"multipart/form-data; boundary={mark}", **dict(headers)})

    def submit(self, page, action, files=(), **fields):
        """Submits the form whose action matches, with these fields changed.
        Brackets and dots of names are written as they are, in a dict."""
        at = page.path.partition(" ")[2]
        more = fields.pop("fields", {})
        for form in Forms(page).all:
            path = urllib.parse.urljoin("http://x" + at, form["action"])
            path = re.sub("^https?://[^/]*", "", path)
            if form["method"] == "post" and re.search(action, path):
                base = {"Referer": "https://app.example.org" + at, "Origin": self.origin()}
                return self.post(path, {**form["fields"], **fields, **more}, files, base)
        sys.exit(f"{page.path}: no form with action {action!r}: {page.told()}")

    def websocket(self, path, protocol=None):
        return Socket(self, path, protocol)

    def origin(self):
        return ("https://" if self.headers.get("X-Forwarded-Proto") == "https" else "http://") + self.headers["Host"]


class Socket:
    """A WebSocket (RFC 6455) with text messages of less than 64 KiB."""

    def __init__(self, browser, path, protocol):
        self.sock = browser.connect()
        self.input = self.sock.makefile("rb")
        head = [f"GET {path} HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"Origin: {browser.origin()}"]
        head += [f"{k}: {v}" for k, v in browser.headers.items()]
        if protocol:
            head.append(f"Sec-WebSocket-Protocol: {protocol}")
        self.sock.sendall("\r\n".join(head + ["", ""]).encode())
        status = self.input.readline()
        if b" 101 " not in status:
            sys.exit(f"GET {path}: {status} {self.input.read(2000)}")
        while self.input.readline() != b"\r\n":
            pass

    def send(self, text):
        data, key = text.encode(), os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.sock.sendall(b"\x81" + size + key + bytes(c ^ key[i % 4] for i, c in enumerate(data)))

    def receive(self):
        """Returns the next message; its pings are answered by nothing."""
        while True:
            first, size = self.input.read(2)
            if size == 126:
                size, = struct.unpack(">H", self.input.read(2))
            data = self.input.read(size)
            if first == 0x81:
                return data.decode()
            if first == 0x88:
                sys.exit(f"closed by {data!r}")

    def receive_until(self, wanted):
        while not wanted(self.receive()):
            pass


def nothing_lost(made, seen):
    """Fails unless what was made is there, each once."""
    lost, twice = [m for m in made if m not in seen], [s for s in set(seen) if seen.count(s) > 1]
    if lost or twice:
        sys.exit(f"of {len(made)} made, {len(lost)} are lost: {lost[:5]}; twice: {twice[:5]}")
    print(f"{len(made)} made, {len(made)} there")


def main(functions):
    web, what = sys.argv[1:]
    if what not in functions:
        sys.exit(77)
    began = time.monotonic()
    functions[what](Browser(web))
    print(f"{what}: {time.monotonic() - began:.1f} s", os.getpid())
