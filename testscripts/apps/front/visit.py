"""visit.py PORT BASE: uses app.js behind a web server as programs in browsers do,
over plain HTTP. It prints a line for each thing that works, and fails at the first that does not."""

import http.client
import socket
import sys
import time

port, base = int(sys.argv[1]), sys.argv[2]
BOUND = 60


def connect():
    return socket.create_connection(("127.0.0.1", port), timeout=BOUND)


def get(page):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)
    client.request("GET", base + page)
    answer = client.getresponse()
    return answer.status, answer.read().decode()


def until(client, wanted):
    data = b""
    while wanted not in data:
        more = client.recv(4096)
        assert more, "the connection ended after %r" % data
        data += more
    return data


def events():
    with connect() as client:
        client.sendall(("GET %sevents HTTP/1.1\r\nHost: a\r\n\r\n" % base).encode())
        until(client, b"data: one\n\n")  # the answer goes on


def upload(head, first, rest, size):
    """The app has the first part of an upload before the client sends the rest."""
    with connect() as client:
        client.sendall(("POST %supload HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n\r\n" % (base, head)).encode() + first)
        last = time.monotonic() + BOUND
        while get("uploaded")[1] != "%d\n" % size:
            assert time.monotonic() < last, "the app got %s of the upload" % get("uploaded")[1]
        client.sendall(rest)
        until(client, b"took %d\n" % (2 * size))


def web_socket():
    with connect() as client:
        client.sendall(("GET %ssocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % base).encode())
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in until(client, b"\r\n\r\n")
        for message in (b"hello", b"again"):
            client.sendall(b"\x82" + bytes([0x80 | len(message)]) + b"\0\0\0\0" + message)
            until(client, b"\x82" + bytes([len(message)]) + message)


size = 300_000
part = b"x" * size
chunk = b"%x\r\n%s\r\n" % (size, part)
web_socket()
print("web socket")
events()
print("events")
upload("Content-Length: %d" % (2 * size), part, part, size)
print("upload of a length")
upload("Transfer-Encoding: chunked", chunk, chunk + b"0\r\n\r\n", size)
print("chunked upload")
assert get("style.css") == (200, "body { color: black }\n"), get("style.css")
print("static file")
assert get("sendfile") == (200, "the report\n"), get("sendfile")
print("sendfile")
