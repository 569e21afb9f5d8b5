'use strict';

const crypto = require('crypto');
const path = require('path');
const { Readable } = require('stream');
const { pipeline } = require('stream/promises');
const { setTimeout: wait } = require('timers/promises');
const { unescapeBuffer } = require('querystring');

const cookieParser = require('cookie-parser');
const express = require('express');

const app = express();
app.set('view engine', 'ejs');
app.set('views', path.join(__dirname, 'views'));
app.set('trust proxy', 'loopback');
app.use(cookieParser());

app.get('/', (req, res) => {
  res.render('index', { title: 'Hello from express', protocol: req.protocol, ip: req.ip });
});

app.post('/form', express.urlencoded({ extended: false }), (req, res) => {
  res.type('text').send(`name=${req.body.name}`);
});

app.post('/upload', async (req, res) => {
  const hash = crypto.createHash('sha256');
  await pipeline(req, hash);
  res.type('text').send(hash.digest('hex'));
});

app.get('/stream', async (req, res) => {
  res.type('application/octet-stream');
  await pipeline(Readable.from(pieces()), res);
});

app.get('/redirect', (req, res) => res.redirect('/'));

app.get('/cookie', (req, res) => {
  res.cookie('seen', 'yes');
  res.type('text').send(`seen=${req.cookies.seen ?? 'none'}`);
});

app.get('/query', (req, res) => {
  // As bytes: what was sent need not be UTF-8.
  const q = /[?&]q=([^&]*)/.exec(req.url)?.[1] ?? '';
  res.type('text').send(Buffer.concat([Buffer.from('q='), unescapeBuffer(q.replaceAll('+', ' '))]));
});

app.get('/error', () => {
  throw new Error('deliberate failure');
});

app.get('/pid', (req, res) => res.type('text').send(String(process.pid)));

app.get('/sleep', async (req, res) => {
  await wait(Number(req.query.seconds) * 1000);
  res.type('text').send(`slept ${req.query.seconds}`);
});

function* pieces() {
  for (let i = 0; i < 320; i++) yield Buffer.alloc(65536, i);
}

// Started by its own name it listens; a test may require it.
if (require.main === module) {
  app.listen(process.env.PORT || 3000, () => console.log('express is listening'));
}

module.exports = app;
