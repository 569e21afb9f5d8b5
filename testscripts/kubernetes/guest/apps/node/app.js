const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");

// What comes of writing to the root.
let root = "written";
try {
  fs.writeFileSync("/written", "");
} catch (error) {
  root = error.code;
}

const server = http.createServer((request, response) => {
  response.end(`hello from node as ${process.getuid()}, root: ${root}\n`);
});
server.on("upgrade", (request, socket) => {
  const accept = crypto.createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.resume();
});
server.listen(3000);
