import hashlib
import os
import time
from urllib.parse import unquote_to_bytes

from flask import Flask, Response, redirect, render_template, request, url_for

app = Flask(__name__)


@app.get("/")
def index():
    return render_template("index.html")


@app.post("/form")
def form():
    return text("name=" + request.form["name"])


@app.post("/upload")
def upload():
    return text(sha256(request.stream))


@app.post("/upload-form")
def upload_form():
    return text(sha256(request.files["file"].stream))


@app.get("/stream")
def stream():
    pieces = (bytes([i % 256]) * 65536 for i in range(320))
    return Response(pieces, mimetype="application/octet-stream")


@app.get("/redirect")
def back():
    return redirect(url_for("index"))


@app.get("/cookie")
def cookie():
    response = text("seen=" + request.cookies.get("seen", "none"))
    response.set_cookie("seen", "yes", path="/")
    return response


@app.get("/query")
def query():
    # As bytes: what was sent need not be UTF-8.
    pairs = (pair.partition(b"=") for pair in request.query_string.split(b"&"))
    value = next((value for name, _, value in pairs if name == b"q"), b"")
    return text(b"q=" + unquote_to_bytes(value.replace(b"+", b" ")))


@app.get("/error")
def error():
    raise RuntimeError("deliberate failure")


@app.get("/pid")
def pid():
    return text(str(os.getpid()))


@app.get("/sleep")
def sleep():
    seconds = request.args["seconds"]
    time.sleep(float(seconds))
    return text("slept " + seconds)


def text(body):
    return Response(body, mimetype="text/plain")


def sha256(file):
    digest = hashlib.sha256()
    for piece in iter(lambda: file.read(65536), b""):
        digest.update(piece)
    return digest.hexdigest()
