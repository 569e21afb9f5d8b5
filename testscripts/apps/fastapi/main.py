"""A FastAPI app: JSON, a form, an upload, streams, a WebSocket, and a lifespan."""
import asyncio
import hashlib
import os
import urllib.parse

from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse, StreamingResponse

app = FastAPI()


@app.on_event("startup")
async def startup():
    app.state.greeting = "Hello from FastAPI"
    print("lifespan: started", flush=True)


@app.on_event("shutdown")
async def shutdown():
    print("lifespan: shut down", flush=True)


@app.get("/")
async def index():
    return {"message": app.state.greeting, "pid": os.getpid()}


@app.get("/items/{number}")
async def item(number: int):
    return {"number": number}


@app.get("/client")
async def client(request: Request):
    return {"scheme": request.url.scheme, "host": request.url.hostname, "client": request.client and request.client.host}


@app.get("/events")
async def events(until: str):
    """One event, and the next when the file until exists."""

    async def stream():
        yield "data: one\n\n"
        while not os.path.exists(until):
            await asyncio.sleep(0.01)
        yield "data: two\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.post("/form", response_class=PlainTextResponse)
async def form(request: Request):
    return "name=" + urllib.parse.parse_qs((await request.body()).decode())["name"][0]


@app.post("/upload", response_class=PlainTextResponse)
async def upload(request: Request):
    digest = hashlib.sha256()
    async for part in request.stream():
        digest.update(part)
    return digest.hexdigest()


@app.get("/stream")
async def pieces():
    """320 pieces of 64 KiB, each of one byte."""

    async def stream():
        for i in range(320):
            yield bytes([i % 256]) * 65536

    return StreamingResponse(stream())


@app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    try:
        while True:
            await socket.send_text("echo: " + await socket.receive_text())
    except WebSocketDisconnect:
        pass
