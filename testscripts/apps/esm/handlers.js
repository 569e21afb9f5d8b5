import { createHash } from 'node:crypto';
import { unescapeBuffer } from 'node:querystring';
import { Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';

export async function form(request, response) {
  const fields = new URLSearchParams(await readText(request));
  text(response, `name=${fields.get('name')}`);
}

export async function upload(request, response) {
  const hash = createHash('sha256');
  await pipeline(request, hash);
  text(response, hash.digest('hex'));
}

export async function stream(request, response) {
  response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
  await pipeline(Readable.from(pieces()), response);
}

function* pieces() {
  for (let i = 0; i < 320; i++) yield Buffer.alloc(65536, i);
}

export function redirect(request, response) {
  response.writeHead(302, { Location: '/' }).end();
}

export function cookie(request, response) {
  const seen = /(?:^|; )seen=([^;]*)/.exec(request.headers.cookie ?? '')?.[1] ?? 'none';
  response.setHeader('Set-Cookie', 'seen=yes; Path=/');
  text(response, `seen=${seen}`);
}

export function query(request, response) {
  // As bytes: what was sent need not be UTF-8.
  const q = /[?&]q=([^&]*)/.exec(request.url)?.[1] ?? '';
  text(response, Buffer.concat([Buffer.from('q='), unescapeBuffer(q.replaceAll('+', ' '))]));
}

export function error() {
  throw new Error('deliberate failure');
}

export function pid(request, response) {
  text(response, String(process.pid));
}

export async function sleep(request, response, url) {
  const seconds = Number(url.searchParams.get('seconds'));
  await wait(seconds * 1000);
  text(response, `slept ${seconds}`);
}

// echo takes a connection out of HTTP and sends back whatever comes.
export function echo(request, socket, head) {
  if (request.url !== '/ws' || request.headers.upgrade !== 'echo') {
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  socket.on('error', () => socket.destroy());
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  socket.write(head);
  socket.pipe(socket);
}

function text(response, content) {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(content);
}
