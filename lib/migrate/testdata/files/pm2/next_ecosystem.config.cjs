'use strict';
const path = require('path');
const common = { NODE_ENV: 'production' };
const name = 'site';

/* one process of npm */
module.exports = {
  apps: [{
    name,
    script: 'npm',
    args: 'start',
    cwd: path.join(__dirname, 'web'),
    instances: process.env.WEB_CONCURRENCY || 2,
    exec_mode: "fork",
    env: common,
    env_file: '.env',
    wait_ready: true,
    max_restarts: 10,
    ...require('./extra'),
  }]
}

if (process.env.DEBUG) {
  module.exports.apps[0].watch = true;
}
