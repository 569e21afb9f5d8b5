import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Body, Controller, Get, Header, HttpCode, Post, Req, StreamableFile } from '@nestjs/common';
import type { Request } from 'express';

const page = (protocol: string) => `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>nest</title>
  </head>
  <body>
    <h1>Hello from nest over ${protocol}</h1>
    <form action="/form" method="post">
      <label>Name <input name="name"></label>
      <button>Send</button>
    </form>
  </body>
</html>
`;

@Controller()
export class AppController {
  @Get()
  index(@Req() request: Request): string {
    return page(request.protocol);
  }

  @Post('form')
  @HttpCode(200)
  @Header('Content-Type', 'text/plain; charset=utf-8')
  form(@Body('name') name: string): string {
    return `name=${name}`;
  }

  @Post('upload')
  @HttpCode(200)
  @Header('Content-Type', 'text/plain')
  async upload(@Req() request: Request): Promise<string> {
    const hash = createHash('sha256');
    await pipeline(request, hash);
    return hash.digest('hex');
  }

  @Get('stream')
  stream(): StreamableFile {
    return new StreamableFile(Readable.from(pieces()));
  }
}

function* pieces(): Generator<Buffer> {
  for (let i = 0; i < 320; i++) yield Buffer.alloc(65536, i);
}
