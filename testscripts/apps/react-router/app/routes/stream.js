export function loader() {
  let sent = 0;
  const body = new ReadableStream({
    pull(controller) {
      if (sent === 320) controller.close();
      else controller.enqueue(new Uint8Array(65536).fill(sent++));
    },
  });
  return new Response(body, { headers: { 'Content-Type': 'application/octet-stream' } });
}
