'use strict';
// Connections that the application writes to itself, past the HTTP server: by
// request.socket, by the socket of an 'upgrade', or after detachSocket. The
// proxy would take such a connection for one of ours and give it to the next
// request. So the interim response below comes before the first raw byte.
//
// What the application still writes when its answer has ended would become the
// answer to another client's request. So the adapter closes the connection.

const http = require('http');
const { ChildProcess } = require('child_process');
const ending = require('./ending.cjs');

const announcement = 'HTTP/1.1 199 Hijacked\r\n\r\n';
const switching = 'HTTP/1.1 101';

const watched = Symbol('the Connection of a socket');

// writing is how deep we are in the HTTP server's own writes.
let writing = 0;

exports.install = function install() {
  const prototype = http.ServerResponse.prototype;
  for (const name of ['_writeRaw', '_flushOutput']) {
    const original = prototype[name];
    prototype[name] = function (...args) {
      writing++;
      try {
        return original.apply(this, args);
      } finally {
        writing--;
      }
    };
  }
  const assign = prototype.assignSocket;
  prototype.assignSocket = function (socket) {
    socket[watched]?.answers(this);
    return assign.call(this, socket);
  };
  const spawn = ChildProcess.prototype.spawn;
  ChildProcess.prototype.spawn = function (...args) {
    const result = spawn.apply(this, args);
    if (this.send) announceSent(this);
    return result;
  };
};

// announceSent has a child that is sent a connection find it announced.
function announceSent(child) {
  const { send } = child;
  child.send = function (message, handle, ...rest) {
    handle?.[watched]?.admits('');
    return send.call(this, message, handle, ...rest);
  };
}

// watch has a connection that an HTTP server may get announce that it is raw.
exports.watch = function watch(socket) {
  socket[watched] ??= new Connection(socket);
};

class Connection {
  constructor(socket) {
    this.socket = socket;
    this.response = null; // to the newest request
    this.read = undefined; // bytes read when the newest answer had ended, undefined before
    this.announced = false;
    this.complete = false; // the application wrote the end of an answer
    this.originalWrite = socket.write;
    const { write, end } = socket;
    const connection = this;
    socket.on('newListener', (name) => {
      if (name === 'data' || name === 'readable') this.overheard();
    });
    socket.write = function (data, ...rest) {
      if (writing === 0 && !connection.admits(data)) return false;
      const result = write.call(this, data, ...rest);
      if (connection.complete) this.destroySoon();
      return result;
    };
    socket.end = function (data, ...rest) {
      const holds = data !== undefined && data !== null && typeof data !== 'function';
      if (holds && writing === 0 && !connection.admits(data)) return this;
      return end.call(this, data, ...rest);
    };
  }

  answers(response) {
    this.response = response;
    this.read = undefined;
    response.once('finish', () => {
      if (this.response === response) this.read = this.socket.bytesRead;
    });
  }

  // admits says whether raw data may be written, and announces it.
  admits(data) {
    if (this.announced || !isHTTP(this.socket)) return true;
    if (this.response?._headerSent && this.response.statusCode !== 101 && !this.isNew()) return this.admitsBehindHead(data);
    this.announced = true;
    if (this.response?.statusCode !== 101 && !startsWith(data, switching)) this.originalWrite.call(this.socket, announcement, 'latin1');
    return true;
  }

  // overheard is called when the application begins to read from the connection
  // past the request. It must not read those of others.
  overheard() {
    const { response } = this;
    if (this.announced || !response || !isHTTP(this.socket) || this.isNew()) return;
    if (response.writableFinished) this.socket.destroySoon();
    else if (response._headerSent) response._last = true;
    else response.shouldKeepAlive = false;
  }

  // isNew says whether another request has begun, of which there is no response
  // yet: it upgrades, or the server refuses it.
  isNew() {
    return this.read !== undefined && this.socket.bytesRead !== this.read;
  }

  // admitsBehindHead is admits for what comes when the head of an answer was sent.
  admitsBehindHead(data) {
    const { response } = this;
    if (response.writableFinished || !response._hasBody) {
      this.socket.destroy();
      return false;
    }
    response._last = true;
    this.complete = ending.completes(response, data);
    return true;
  }
}

// isHTTP says whether an HTTP server has, or had, the connection.
function isHTTP(socket) {
  return socket.parser !== undefined;
}

function startsWith(data, text) {
  if (typeof data === 'string') return data.startsWith(text);
  return Buffer.from(data.buffer ?? '', data.byteOffset, Math.min(data.byteLength, text.length)).toString('latin1') === text;
}
