'use strict';

// clients.js PORT COUNT: COUNT clients of each kind, that come back when their
// connection ends, as clients in browsers do. It says when all of them talk, and
// again when all talk to other processes than before.

const http = require('http');
const { io } = require('socket.io-client');
const { WebSocket } = require('ws');

const [port, count] = process.argv.slice(2).map(Number);
const pids = new Map(); // by client, the process that it talks to
const counts = { connects: 0, ends: 0, refused: 0 };
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });

const kinds = {
  'ws': (heard, ended) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    let asking;
    socket.on('open', () => (asking = setInterval(() => socket.send('hello'), 500)));
    socket.on('message', (message) => heard(String(message)));
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(asking);
      ended();
    });
  },
  'events': (heard, ended) => {
    const request = http.get({ host: '127.0.0.1', port, path: '/events', agent: false }, (response) => {
      if (response.statusCode !== 200) counts.refused++;
      response.setEncoding('utf8').on('data', (text) => heard(/^data: (\d+)$/m.exec(text)?.[1] ?? ''));
      response.on('error', () => {});
      response.on('close', ended);
    });
    request.on('error', ended);
  },
  'polling': (heard) => socketIO(heard, ['polling']),
  'websocket': (heard) => socketIO(heard, ['websocket']),
  'polling, then websocket': (heard) => socketIO(heard, ['polling', 'websocket']),
};

// socketIO comes back by itself. withCredentials keeps the cookie by which the
// proxy knows the process.
function socketIO(heard, transports) {
  const socket = io(`http://127.0.0.1:${port}`, {
    transports, withCredentials: true, forceNew: true, agent, reconnectionDelay: 50, reconnectionDelayMax: 200,
  });
  let asking;
  socket.on('connect', () => {
    counts.connects++;
    clearInterval(asking);
    asking = setInterval(() => socket.emit('say', 'hello', heard), 500);
  });
  socket.on('disconnect', () => {
    counts.ends++;
    clearInterval(asking);
  });
  socket.on('connect_error', () => counts.refused++);
}

function keep(kind, client) {
  let ended = false;
  counts.connects++;
  kinds[kind]((text) => pids.set(client, parseInt(text, 10)), () => {
    if (ended) return;
    ended = true;
    counts.ends++;
    setTimeout(keep, 50, kind, client);
  });
}

const clients = [];
for (const kind of Object.keys(kinds)) {
  for (let i = 0; i < count; i++) clients.push(`${kind} ${i}`);
}
for (const client of clients) keep(client.replace(/ \d+$/, ''), client);

const old = new Set();
let said = 0;
setInterval(() => {
  const left = clients.filter((client) => !pids.has(client) || old.has(pids.get(client)));
  if (left.length > 0) {
    if (++said % 50 === 0) console.log(`wait for ${left.length} of ${clients.length}: ${left.slice(0, 5).join('; ')} ${JSON.stringify(counts)}`);
    return;
  }
  const processes = new Set(pids.values());
  console.log(`all ${clients.length} talk to ${processes.size} ${old.size ? 'new ' : ''}processes; ${JSON.stringify(counts)}`);
  for (const pid of processes) old.add(pid);
  Object.assign(counts, { connects: 0, ends: 0, refused: 0 });
}, 100);
