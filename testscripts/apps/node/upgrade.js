'use strict';

// echo takes a connection out of HTTP and sends back whatever comes.
exports.echo = function echo(request, socket, head) {
  if (request.url !== '/ws' || !['echo', 'websocket'].includes(request.headers.upgrade)) {
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  socket.on('error', () => socket.destroy());
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ' + request.headers.upgrade + '\r\n\r\n');
  socket.write(head);
  socket.pipe(socket);
};
