import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import type { Behaviour, SeenRequest } from '../sources/server.ts';

/** The test server of `sources` in a thread of its own: sextant-node's commands wait for their programs, and with them Node's loop. */
export interface WorkerServer {
  readonly url: string;
  on(path: string, ...behaviours: readonly Behaviour[]): Promise<void>;
  of(path: string): Promise<SeenRequest[]>;
  close(): Promise<void>;
}

const THREAD = `
import { parentPort } from 'node:worker_threads';
import { startServer } from './server.ts';
const server = await startServer();
parentPort.on('message', ({ path, behaviours }) => {
  if (behaviours) server.on(path, ...behaviours.map((one) => ({ ...one, body: one.body && Buffer.from(one.body) })));
  parentPort.postMessage(server.of(path));
});
parentPort.postMessage(server.url);
`;

export async function startWorkerServer(): Promise<WorkerServer> {
  const stdin = { contents: THREAD, resolveDir: 'test/sources', loader: 'ts' as const };
  const [bundled] = buildSync({
    stdin,
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
  }).outputFiles;
  const code = Buffer.from(bundled?.text ?? '').toString('base64');
  const worker = new Worker(new URL(`data:text/javascript;base64,${code}`));
  const [url] = (await once(worker, 'message')) as [string];
  const ask = async (message: object) => {
    const answer = once(worker, 'message');
    worker.postMessage(message);
    return ((await answer) as [SeenRequest[]])[0];
  };
  return {
    url,
    on: async (path, ...behaviours) => {
      await ask({ path, behaviours });
    },
    of: (path) => ask({ path }),
    close: async () => {
      await worker.terminate();
    },
  };
}
