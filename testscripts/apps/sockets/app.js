'use strict';

// A chat of three kinds of clients, as their documents have it: ws, socket.io,
// and EventSource. Each is told the pid of its process.

const http = require('http');
const { Server } = require('socket.io');
const { WebSocketServer } = require('ws');

const server = http.createServer((request, response) => {
  if (request.url === '/events') return events(response);
  response.end(`process ${process.pid}\n`);
});

const plain = new WebSocketServer({ noServer: true });
plain.on('connection', (socket) => {
  socket.on('message', (message) => socket.send(`${process.pid} ${message}`));
});

// socket.io takes the upgrades below /socket.io/ itself.
const io = new Server(server);
io.on('connection', (socket) => {
  socket.on('say', (message, answer) => answer(`${process.pid} ${message}`));
});

server.on('upgrade', (request, socket, head) => {
  if (request.url === '/ws') plain.handleUpgrade(request, socket, head, (client) => plain.emit('connection', client));
});

function events(response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  let id = 0;
  const send = () => response.write(`id: ${++id}\ndata: ${process.pid}\n\n`);
  send();
  const ticks = setInterval(send, 500);
  response.on('close', () => clearInterval(ticks));
}

server.listen(process.env.PORT || 3000);
