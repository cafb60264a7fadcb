import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createAuthority } from '../src/hook/certificates.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** How a clock that is wrong sees a server's certificate, which is good for a day on both sides of these days from now. */
const DAYS = { 'is not yet valid': 30, 'has expired': -30, 'is valid': 0 } as const;
export type Dated = keyof typeof DAYS;

export interface DatedServer {
  readonly port: number;
  readonly url: string;
  /** PEM of all its authorities: nothing but the dates is wrong with a certificate. */
  readonly authorities: string;
  /** Shows this certificate from now on, as if the other side's clock had been set. */
  show(dated: Dated): Promise<void>;
  close(): Promise<void>;
}

const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
const { createServer } = require('node:https');
const body = Buffer.from(workerData.body);
const server = createServer({ ...workerData.identity, keepAlive: false }, (request, response) => response.end(body));
server.on('tlsClientError', () => {});
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
parentPort.on('message', (identity) => {
  server.setSecureContext(identity);
  server.closeAllConnections();
  parentPort.postMessage('shown');
});
`;

/** An https server on 127.0.0.1 that answers every address with `body`; in a thread of its own, since what is tested may block this one. */
export async function datedServer(
  first: Dated,
  body: Uint8Array | string,
  host = '127.0.0.1',
): Promise<DatedServer> {
  const made = await Promise.all(
    Object.entries(DAYS).map(async ([dated, days]) => {
      const authority = await createAuthority(new Date(Date.now() + days * DAY_MS));
      return { dated, certificate: authority.certificate, identity: await authority.identityFor(host) };
    }),
  );
  const identityOf = (dated: Dated) => made.find((one) => one.dated === dated)?.identity;
  const worker = new Worker(THREAD, {
    eval: true,
    workerData: { identity: identityOf(first), body: Buffer.from(body) },
  });
  const [port] = (await once(worker, 'message')) as [number];
  return {
    port,
    url: `https://127.0.0.1:${port}`,
    authorities: made.map(({ certificate }) => certificate).join(''),
    show: async (dated) => {
      const shown = once(worker, 'message');
      worker.postMessage(identityOf(dated));
      await shown;
    },
    close: async () => {
      await worker.terminate();
    },
  };
}
