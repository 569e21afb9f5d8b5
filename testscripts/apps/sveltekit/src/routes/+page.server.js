export function load({ url }) {
  return { protocol: url.protocol };
}
