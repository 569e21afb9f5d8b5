'use strict';
// The contract with passenger-spawn: what it hands down and what it is told.
// Node closes both descriptors in the programs that the application starts.

const fs = require('fs');
const { isMainThread } = require('worker_threads');

exports.listenFD = 3;

let notifyFD = -1;

// takeUp says whether a socket was handed down, and removes every trace of it
// from the environment.
exports.takeUp = function takeUp() {
  if (!isMainThread || process.env.LISTEN_FDS !== '1') return false;
  notifyFD = Number(process.env.PASSENGER_NOTIFY_FD ?? -1);
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES', 'NOTIFY_SOCKET', 'PASSENGER_NOTIFY_FD']) {
    delete process.env[name];
  }
  return true;
};

// isClusterWorker says whether this is a worker of node:cluster. Node.js has
// removed what says so from the environment, and set process.send.
exports.isClusterWorker = () => isMainThread && process.send !== undefined && require('cluster').isWorker;

// isWaiting says whether the spawner still waits to be told.
exports.isWaiting = () => notifyFD >= 0;

// ready says that requests are served from now on.
exports.ready = () => tell('READY=1');

// failed says why there will never be a request served. A datagram holds 8 KiB;
// an exception's message can be anything.
exports.failed = function failed({ category, summary, advice }) {
  tell('X_PASSENGER_ERROR=' + JSON.stringify({
    category, summary: summary.slice(0, 1500), advice: advice.slice(0, 1500),
  }));
};

// Only the first message counts: what was ready did not fail to load.
function tell(message) {
  if (!exports.isWaiting()) return;
  try {
    fs.writeSync(notifyFD, message);
    fs.closeSync(notifyFD);
  } catch {
    // A spawner that went away: its successor sees the process itself.
  }
  notifyFD = -1;
}
