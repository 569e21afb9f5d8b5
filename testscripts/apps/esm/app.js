import http from 'node:http';
import { readFile } from 'node:fs/promises';
import { Router } from './router.js';
import * as handlers from './handlers.js';

// Read once, before anything is served.
const page = await readFile(new URL('./page.html', import.meta.url));

const router = new Router()
  .get('/', (request, response) => {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(page);
  })
  .post('/form', handlers.form)
  .post('/upload', handlers.upload)
  .get('/stream', handlers.stream)
  .get('/redirect', handlers.redirect)
  .get('/cookie', handlers.cookie)
  .get('/query', handlers.query)
  .get('/error', handlers.error)
  .get('/pid', handlers.pid)
  .get('/sleep', handlers.sleep);

const server = http.createServer((request, response) => router.handle(request, response));
server.on('upgrade', handlers.echo);
server.listen({ port: process.env.PORT ?? 3000, host: '127.0.0.1' }, () => {
  const { address, port } = server.address();
  console.log(`listening on http://${address}:${port}`);
});
