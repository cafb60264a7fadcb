import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { httpRequest } from '../../src/support/http.ts';

test('a server that closes after its answer, as HTTP/1.0 does, is read to the end by a slow reader', async () => {
  const size = 8 * 1024 * 1024;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(`HTTP/1.0 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      socket.end(Buffer.alloc(size));
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  try {
    // More than once: whether the end comes while the reader is behind is a matter of chance.
    for (let time = 0; time < 5; time += 1) {
      const { body } = await httpRequest(`http://127.0.0.1:${port}/`);
      let bytes = 0;
      for await (const piece of body) {
        bytes += piece.length;
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      expect(bytes).toBe(size);
    }
  } finally {
    server.close();
  }
});
