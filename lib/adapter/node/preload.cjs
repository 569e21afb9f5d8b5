'use strict';
// Loaded by node --require before the application, in either module system:
// the first server that the application lets listen is put on the socket that
// passenger-spawn handed down, and passenger-spawn is told so.
//
// What the application starts with the same options (child_process.fork,
// worker threads, cluster) loads this file too and finds nothing handed down. A
// worker of a cluster gets the connections of its primary.

const spawner = require('./spawner.cjs');

if (spawner.takeUp()) {
  if (Number.parseInt(process.versions.node, 10) < 18) {
    process.stderr.write(`passenger: Node.js ${process.versions.node} is older than 18, the oldest that the adapter is tested with; it may work\n`);
  }
  // SIGUSR1 opens the inspector, on any port that is free. What the application
  // starts with our options is not to open one.
  process.debugPort = 0;
  process.execArgv = process.execArgv.filter((option) => !option.startsWith('--inspect-publish-uid'));
  require('./backtrace.cjs').install();
  require('./failure.cjs').watch(spawner);
  require('./landing.cjs').install(spawner);
} else if (spawner.isClusterWorker()) {
  require('./landing.cjs').installInWorker();
}
