// The origin of the tests in http-cache-tests, on $PORT of this machine alone.
import http from 'http'
import config from 'http-cache-tests/server/handle-config.mjs'
import state from 'http-cache-tests/server/handle-state.mjs'
import test from 'http-cache-tests/server/handle-test.mjs'

const handlers = { config, state, test }

http.createServer((request, response) => {
  const [, kind, ...path] = new URL(request.url, 'http://origin').pathname.split('/')
  if (handlers[kind]) return handlers[kind](path, request, response)
  response.end('ready')
}).listen(process.env.PORT, '127.0.0.1')
