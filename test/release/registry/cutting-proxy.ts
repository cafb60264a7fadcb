import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CuttingProxy {
  readonly host: string;
  /** How many connections were cut. */
  readonly cuts: () => number;
  close(): Promise<void>;
}

/** Passes connections on to a loopback address, and breaks each of the first that carry more than `bytes` of upload. */
export async function startCuttingProxy(target: string, bytes: number, times: number): Promise<CuttingProxy> {
  let cuts = 0;
  const [host, port] = target.split(':');
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    let sent = 0;
    client.on('data', (piece) => {
      sent += piece.length;
      if (sent > bytes && cuts < times) {
        cuts += 1;
        client.destroy();
        // What has come so far still arrives.
        upstream.end();
        return;
      }
      if (!upstream.write(piece)) {
        client.pause();
        upstream.once('drain', () => client.resume());
      }
    });
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts: () => cuts,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
