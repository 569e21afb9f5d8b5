import { createHash } from 'node:crypto';

export default defineEventHandler(async (event) => {
  const hash = createHash('sha256');
  for await (const piece of event.node.req) hash.update(piece);
  return hash.digest('hex');
});
