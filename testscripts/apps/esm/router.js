// A Router answers requests by method and path.
export class Router {
  #routes = new Map();

  get(path, handler) {
    this.#routes.set(`HEAD ${path}`, handler); // Node leaves out the body
    return this.#add('GET', path, handler);
  }

  post(path, handler) {
    return this.#add('POST', path, handler);
  }

  #add(method, path, handler) {
    this.#routes.set(`${method} ${path}`, handler);
    return this;
  }

  async handle(request, response) {
    const url = new URL(request.url, 'http://localhost');
    const handler = this.#routes.get(`${request.method} ${url.pathname}`);
    if (!handler) {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('Not Found\n');
      return;
    }
    try {
      await handler(request, response, url);
    } catch (error) {
      console.error(error);
      if (response.headersSent) response.destroy();
      else response.writeHead(500, { 'Content-Type': 'text/plain' }).end('Internal Server Error\n');
    }
  }
}
