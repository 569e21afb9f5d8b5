export default defineEventHandler((event) => {
  setResponseHeader(event, 'Content-Type', 'application/octet-stream');
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (sent === 320) controller.close();
      else controller.enqueue(new Uint8Array(65536).fill(sent++));
    },
  });
});
