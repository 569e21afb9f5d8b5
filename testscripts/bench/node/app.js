'use strict';

const http = require('node:http');

http.createServer((request, response) => {
  const body = request.url === '/pid' ? String(process.pid) : 'hello world\n';
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}).listen(process.env.PORT, '127.0.0.1');
