const crypto = require("node:crypto");
const http = require("node:http");

const server = http.createServer((request, response) => {
  response.end(`hello from node as ${process.getuid()}\n`);
});
server.on("upgrade", (request, socket) => {
  const accept = crypto.createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.resume();
});
server.listen(3000);
