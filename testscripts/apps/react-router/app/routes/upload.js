import { createHash } from 'node:crypto';

export async function action({ request }) {
  const hash = createHash('sha256');
  for await (const piece of request.body) hash.update(piece);
  return new Response(hash.digest('hex'));
}
