'use strict';

const crypto = require('crypto');
const { Readable } = require('stream');
const { pipeline } = require('stream/promises');
const { setTimeout: sleep } = require('timers/promises');
const { unescapeBuffer } = require('querystring');

const routes = {
  'GET /': (request, response) => html(response, page),
  'POST /form': async (request, response) => {
    const form = new URLSearchParams(await body(request));
    text(response, `name=${form.get('name')}`);
  },
  'POST /upload': async (request, response) => {
    const hash = crypto.createHash('sha256');
    await pipeline(request, hash);
    text(response, hash.digest('hex'));
  },
  'GET /stream': async (request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
    await pipeline(Readable.from(pieces()), response);
  },
  'GET /redirect': (request, response) => {
    response.writeHead(302, { Location: '/' });
    response.end();
  },
  'GET /cookie': (request, response) => {
    const seen = /(?:^|; )seen=([^;]*)/.exec(request.headers.cookie ?? '');
    response.setHeader('Set-Cookie', 'seen=yes; Path=/');
    text(response, `seen=${seen ? seen[1] : 'none'}`);
  },
  'GET /query': (request, response) => {
    // As bytes: what was sent need not be UTF-8.
    const q = /[?&]q=([^&]*)/.exec(request.url)?.[1] ?? '';
    text(response, Buffer.concat([Buffer.from('q='), unescapeBuffer(q.replaceAll('+', ' '))]));
  },
  'GET /error': () => {
    throw new Error('deliberate failure');
  },
  'GET /pid': (request, response) => text(response, String(process.pid)),
  'GET /sleep': async (request, response, url) => {
    const seconds = Number(url.searchParams.get('seconds'));
    await sleep(seconds * 1000);
    text(response, `slept ${seconds}`);
  },
};

const page = `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>node</title>
  </head>
  <body>
    <h1>Hello from node</h1>
    <form action="/form" method="post">
      <label>Name <input name="name"></label>
      <button>Send</button>
    </form>
  </body>
</html>
`;

// handle answers one request by the route for its method and path. Node leaves
// out the body of the answer to a HEAD request.
exports.handle = async function handle(request, response) {
  const url = new URL(request.url, 'http://localhost');
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const route = routes[`${method} ${url.pathname}`];
  if (!route) {
    response.writeHead(404, { 'Content-Type': 'text/plain' });
    response.end('Not Found\n');
    return;
  }
  await route(request, response, url);
};

function* pieces() {
  for (let i = 0; i < 320; i++) yield Buffer.alloc(65536, i);
}

async function body(request) {
  let whole = '';
  for await (const piece of request.setEncoding('utf8')) whole += piece;
  return whole;
}

function html(response, content) {
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.end(content);
}

function text(response, content) {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(content);
}
