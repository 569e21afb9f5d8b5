'use strict';

const http = require('http');
const routes = require('./routes');
const { echo } = require('./upgrade');

const server = http.createServer(async (request, response) => {
  try {
    await routes.handle(request, response);
  } catch (error) {
    console.error(error);
    if (response.headersSent) {
      response.destroy();
    } else {
      response.writeHead(500, { 'Content-Type': 'text/plain' });
      response.end('Internal Server Error\n');
    }
  }
});

server.on('upgrade', echo);

server.listen(process.env.PORT || 3000, () => {
  console.log(`listening on port ${server.address().port}`);
});
