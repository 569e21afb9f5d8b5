'use strict';

// What a web server in front can get wrong: who the client is, and what has to
// go through at once.

const http = require('http');

let uploaded = 0; // bytes of the upload that came last

const pages = {
  info: (request, response) => {
    const { host, ...said } = request.headers;
    const names = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded'];
    const secret = Object.keys(said).filter((name) => name.startsWith('!~'));
    response.end(`url=${request.url} host=${host} ${names.map((name) => `${name}=${said[name] ?? ''}`).join(' ')} secret=${secret}\n`);
  },
  upload: (request, response) => {
    uploaded = 0;
    request.on('data', (chunk) => (uploaded += chunk.length));
    request.on('end', () => response.end(`took ${uploaded}\n`));
  },
  uploaded: (_, response) => response.end(`${uploaded}\n`),
  events: (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('data: one\n\n');
  },
  accel: (_, response) => {
    response.writeHead(200, { 'X-Accel-Redirect': '/protected/report.txt' });
    response.end('by the app\n');
  },
  sendfile: (_, response) => {
    response.writeHead(200, { 'X-Sendfile': `${__dirname}/private/report.txt` });
    response.end('by the app\n');
  },
};

const server = http.createServer((request, response) => {
  const page = pages[request.url.split('?')[0].split('/').pop()];
  if (page) return page(request, response);
  response.statusCode = 404;
  response.end('no such page\n');
});

// A WebSocket that echoes short messages without looking into them.
server.on('upgrade', (request, socket) => {
  const accept = require('crypto').createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.on('data', (frame) => socket.write(Buffer.concat([Buffer.from([frame[0], frame[1] & 0x7f]), frame.subarray(6)])));
  socket.on('error', () => {});
});

server.listen(process.env.PORT || 3000);
