import { createHash } from 'node:crypto';

export async function POST({ request }) {
  const hash = createHash('sha256');
  for await (const piece of request.body) hash.update(piece);
  return new Response(hash.digest('hex'));
}
