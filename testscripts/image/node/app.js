const fs = require("node:fs");
const http = require("node:http");

http.createServer((request, response) => {
  const answer = () => {
    if (request.url === "/slow" && !fs.existsSync("/tmp/go")) setTimeout(answer, 100);
    else response.end(`hello from node as ${process.getuid()}\n`);
  };
  answer();
}).listen(3000);
