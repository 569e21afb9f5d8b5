'use strict';
// Putting the application's server on the socket that was handed down.

const net = require('net');
const EventEmitter = require('events');
const ending = require('./ending.cjs');
const raw = require('./raw.cjs');
const stop = require('./stop.cjs');

let autoInstall = true;

// PhusionPassenger is what an application may know of us: that it is there,
// configure, and the event "exit", which leaves the exit to the application.
const passenger = new EventEmitter();
passenger.configure = (options = {}) => {
  if (options.autoInstall !== undefined) autoInstall = Boolean(options.autoInstall);
};

exports.install = function install(spawner) {
  globalThis.PhusionPassenger = passenger;
  ending.install();
  raw.install();
  const listen = net.Server.prototype.listen;
  let landed = null; // the server on our socket
  let handle; // of our socket; the primary of a cluster takes it from its server
  let told = false;

  net.Server.prototype.listen = function (...args) {
    const callback = typeof args[args.length - 1] === 'function' ? args[args.length - 1] : undefined;
    const place = placeOf(args);
    const named = isOurs(place);
    if (named && landed) throw new Error("only one server can listen on 'passenger'");
    if (!named && (landed || !autoInstall || isProbe(this))) {
      if (landed && !isProbe(this)) {
        if (isClosed(handle) && !stop.isStopping()) leave();
        if (!told) tellOfSecond(landed, place);
        told = true;
      }
      return listen.apply(this, args);
    }
    landed = this;
    try {
      fit(this, place);
    } catch (error) {
      spawner.failed({ category: 'config', summary: error.message, advice: error.advice });
      throw error;
    }
    listen.call(this, { fd: spawner.listenFD, backlog: place.backlog, signal: place.signal, exclusive: true }, callback);
    handle = this._handle;
    // Behind the application's callback: what throws there is no success.
    this.once('listening', () => spawner.ready());
    return this;
  };
};

function isClosed(handle) {
  return handle !== null && handle !== undefined && !(handle.fd >= 0);
}

// leave ends a process whose server was closed and is to listen again: closing
// it has closed our socket, of which there is no second. A process that served is
// replaced at once.
function leave() {
  process.stderr.write('passenger: the application closed its server and listens again, which takes a new process; this one ends\n');
  process.exit(1);
}

// tellOfSecond says that a server gets no requests of the proxy.
function tellOfSecond(landed, place) {
  const { port } = landed.address() ?? {};
  process.stderr.write(`passenger: a second server listens (${place.path ?? `port ${place.port ?? 0}`}); requests go to the first one` +
    `${port ? ` (port ${port})` : ''}. If the second is meant, have it listen on 'passenger'.\n`);
}

// installInWorker is for a worker of a cluster whose primary has our socket: it
// hands connections of the proxy to the worker's servers, which find that they
// have no address.
exports.installInWorker = function installInWorker() {
  ending.install();
  raw.install();
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (...args) {
    this.prependOnceListener('listening', () => {
      const place = placeOf(args);
      if (!isProbe(this) && (this.address() === null || isOurs(place))) fit(this, place);
    });
    return listen.apply(this, args);
  };
};

// placeOf returns where the arguments of listen say.
function placeOf(args) {
  const [first, second] = args;
  if (first !== null && typeof first === 'object') return first;
  if (typeof first === 'string' && !(Number(first) >= 0)) return { path: first };
  return { port: first, host: typeof second === 'string' ? second : undefined };
}

// isOurs says whether an application names our socket.
function isOurs(place) {
  return place.path === 'passenger' || place.path === '/passenger';
}

// isProbe says whether a server is there for its port only, which is how
// packages look for a free one: it does nothing with a connection.
function isProbe(server) {
  return server.listenerCount('connection') === 0;
}

// fit prepares a server for connections that come from the proxy.
function fit(server, place) {
  const address = addressOf(place);
  server.address = () => (server.listening ? address : null);

  // The proxy decides how long a connection idles. If both did, a request
  // would now and then meet a connection that is just being closed.
  if ('keepAliveTimeout' in server) server.keepAliveTimeout = 0;

  if (typeof server.setSecureContext === 'function') speakPlain(server);
  const front = speaksHTTP2Only(server) ? frontOf(server) : server;
  server.prependListener('connection', (socket) => {
    claimLoopback(socket);
    raw.watch(socket);
  });
  if ('keepAliveTimeout' in front) front.prependListener('request', (request, response) => ending.makeWay(response));
  stop.closeGracefully(server, passenger, front);
}

// speaksHTTP2Only says whether a server of node:http2 would refuse what the
// proxy sends: it speaks HTTP/1.1 to all applications, and HTTP/2 to clients.
function speaksHTTP2Only(server) {
  return /^Http2(Secure)?Server$/.test(server.constructor.name) && typeof server.updateSettings === 'function' && !allowsHTTP1(server);
}

// allowsHTTP1 says whether a server was made with that option. Node.js keeps the
// options to itself, and only gives such a server a timeout for heads.
function allowsHTTP1(server) {
  return server.headersTimeout !== undefined;
}

// frontOf returns a server that takes the connections of one for HTTP/2 and
// passes on the requests, as allowHTTP1 does. Its streams have no like.
function frontOf(server) {
  if (server.listenerCount('request') === 0) {
    throw Object.assign(new Error('the server takes streams of HTTP/2 only, and the proxy speaks HTTP/1.1 to applications'), {
      advice: "Answer 'request' events of the same server, or use http.createServer(): clients have HTTP/2 from the proxy.",
    });
  }
  const front = require('http').createServer((request, response) => server.emit('request', request, response));
  front.keepAliveTimeout = 0;
  front.emit('listening'); // since then it knows its connections
  for (const event of ['upgrade', 'checkContinue', 'checkExpectation']) {
    if (server.listenerCount(event) > 0) front.on(event, (...args) => server.emit(event, ...args));
  }
  const taken = typeof server.setSecureContext === 'function' ? 'secureConnection' : 'connection';
  server.removeListener(taken, server.listeners(taken)[0]); // of the constructor
  server.on(taken, (socket) => front.emit('connection', socket));
  return front;
}

// addressOf returns what the application would see had it got what it asked
// for. Frameworks print it, and stumble over what has no port.
function addressOf({ path, port, host }) {
  if (typeof path === 'string') return path;
  const address = host === 'localhost' ? '127.0.0.1' : host || '::';
  return { address, family: net.isIPv6(address) ? 'IPv6' : 'IPv4', port: Number(port) || 0 };
}

// speakPlain makes a TLS server take its connections as they are: the proxy
// has already taken TLS off. The listener that would begin a handshake is the
// one that the constructor registered.
function speakPlain(server) {
  const [handshake] = server.listeners('connection');
  server.removeListener('connection', handshake);
  server.on('connection', (socket) => {
    socket.alpnProtocol = false; // http2 with allowHTTP1 asks for it
    server.emit('secureConnection', socket);
  });
}

// claimLoopback gives a connection of a unix socket the peer that an
// application expects behind a proxy: trust of "loopback" works, and what
// insists on some address finds one.
function claimLoopback(socket) {
  Object.defineProperties(socket, {
    remoteAddress: { value: '127.0.0.1', configurable: true },
    remoteFamily: { value: 'IPv4', configurable: true },
    remotePort: { value: 0, configurable: true },
  });
}
