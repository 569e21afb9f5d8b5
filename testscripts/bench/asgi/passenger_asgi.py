import os


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b"%d" % os.getpid() if scope["path"] == "/pid" else b"hello world\n"
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
