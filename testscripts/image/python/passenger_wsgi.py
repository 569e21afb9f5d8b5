import os
import time


def application(environ, start_response):
    while environ["PATH_INFO"] == "/slow" and not os.path.exists("/tmp/go"):
        time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"hello from python as {os.getuid()}\n".encode()]
