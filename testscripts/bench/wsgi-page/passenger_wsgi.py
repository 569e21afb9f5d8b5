"""A page as of an application: 5 ms of the CPU, 20 ms of waiting as for a database,
20 kB of HTML, a session's cookie. / and /pid cost nothing."""

import os
import re
import time

PAGE = b"<p>a line of a page that somebody reads</p>\n" * 466


def work():
    until = time.thread_time() + 0.005
    while time.thread_time() < until:
        pass
    time.sleep(0.02)


def application(environ, start_response):
    headers = [("Content-Type", "text/html")]
    body = b"hello world\n"
    if environ["PATH_INFO"] == "/pid":
        body = b"%d" % os.getpid()
    elif environ["PATH_INFO"] == "/page":
        work()
        seen = re.search(r"visits=(\d+)", environ.get("HTTP_COOKIE", ""))
        visits = int(seen[1]) + 1 if seen else 1
        headers.append(("Set-Cookie", "visits=%d; HttpOnly; SameSite=Lax" % visits))
        body = PAGE
    start_response("200 OK", headers + [("Content-Length", str(len(body)))])
    return [body]
