'use strict';
// SIGTERM: no new connections, the requests in flight are finished, then exit.

const { cutOff } = require('./ending.cjs');

// upgradedGrace is how long the far end of an upgraded connection has, once we
// have closed ours. Requests have no such limit: the sender of SIGTERM sets it.
const upgradedGrace = 1000;

const sweepEvery = 20;

let stopping = false;

// isStopping says whether there was a SIGTERM.
exports.isStopping = () => stopping;

// closeGracefully makes server.close, also when the app calls it, end what is kept
// alive and what was upgraded. SIGTERM calls it once server listens. front is
// the server that takes the requests, if that is another.
exports.closeGracefully = function closeGracefully(server, passenger, front = server) {
  const sockets = new Set();
  server.prependListener('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  const close = server.close;
  let closing = false;
  server.close = function (callback) {
    if (!closing) {
      closing = true;
      if ('keepAliveTimeout' in front) server.once('close', endConnections(front, sockets));
    }
    return close.call(server, callback);
  };

  const obey = () => process.on('SIGTERM', () => {
    stopping = true;
    if (closing || applicationHandlesSIGTERM()) return;
    server.close(() => stopWorkers(() => {
      if (!passenger.emit('exit')) process.exit(0);
    }));
  });
  if (server.listening) obey();
  else server.once('listening', obey);
};

// stopWorkers has the workers of a cluster finish the requests that they have,
// and calls then when all are gone. They would end with this process. What the
// application starts in their place gets nothing to do.
function stopWorkers(then) {
  const workers = Object.values(require('cluster').workers ?? {}).filter((worker) => !worker.isDead());
  let left = workers.length;
  if (left === 0) return then();
  for (const worker of workers) {
    worker.process.once('exit', () => {
      if (--left === 0) then();
    });
    worker.process.kill('SIGTERM');
  }
}

// endConnections ends the connections of an HTTP server as they fall idle, until
// the function that it returns is called.
function endConnections(server, sockets) {
  server.prependListener('request', (request, response) => {
    response.shouldKeepAlive = false;
  });
  const begun = Date.now();
  const sweep = () => {
    server.closeIdleConnections?.();
    for (const socket of sockets) {
      endEvents(socket._httpMessage);
      // No parser: HTTP has left it to an upgrade. Nothing read: a connection
      // that Node does not take for idle, though it has no request.
      if (socket.parser && socket.bytesRead > 0) continue;
      if (Date.now() - begun > upgradedGrace) socket.destroy();
      else if (!socket.writableEnded) socket.end();
    }
  };
  const timer = setInterval(sweep, sweepEvery);
  sweep();
  return () => clearInterval(timer);
}

// endEvents ends a stream of server-sent events, which has no end of its own:
// its client comes back by itself (HTML, 9.2.3), and finds another process.
function endEvents(response) {
  if (!response?._headerSent || !/^content-type: *text\/event-stream\b/im.test(response._header)) return;
  if (!response.writableEnded) cutOff(response);
}

// applicationHandlesSIGTERM says whether a listener other than ours acts on
// the signal. The package signal-exit listens too, but only to know; it counts
// its listeners so that others can tell.
function applicationHandlesSIGTERM() {
  const spectators = [process.__signal_exit_emitter__, globalThis[Symbol.for('signal-exit emitter')]]
    .reduce((sum, emitter) => sum + (emitter?.count ?? 0), 0);
  return process.listenerCount('SIGTERM') > 1 + spectators;
}
