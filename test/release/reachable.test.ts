import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DECISION_SECONDS, reachable } from '../../src/release/reachable.ts';
import { probe } from '../../src/sources/probe.ts';
import { silent } from '../../src/support/progress.ts';
import { startServer, type TestServer } from '../sources/server.ts';

// Whether the real components can be had here. The recipe's three addresses are asked at servers of the test, by its mirrors.

let folder: string;
let recipe: string;
let server: TestServer;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-reachable-'));
  recipe = join(folder, 'sextant.yaml');
  server = await startServer();
  for (const path of ['/github/a/b/releases', '/files/tool', '/k3s/']) server.on(path, { body: 'here' });
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function ask(changed: Readonly<Record<string, string>> = {}, seconds = 60) {
  const mirrors = {
    'https://github.com/': `${server.url}/github/`,
    'https://files.test/': `${server.url}/files/`,
    'https://get.k3s.io/': `${server.url}/k3s/`,
    ...changed,
  };
  const file = (name: string) => [{ from: name, to: `/usr/bin/${name}` }];
  await writeFile(
    recipe,
    JSON.stringify({
      distribution: { name: 'k3s', version: 'v1.36.3+k3s1' },
      components: [
        {
          name: 'provider-kairos',
          source: {
            type: 'github-release',
            repository: 'a/b',
            version: 'v1.0.0',
            asset: 'agent-provider-kairos',
          },
          files: [{ from: 'x', to: '/usr/lib/kairos/providers/agent-provider-kairos' }],
        },
        {
          name: 'tool',
          source: { type: 'url', url: 'https://files.test/tool', version: '1' },
          files: file('tool'),
        },
      ],
      mirrors: Object.entries(mirrors).map(([from, to]) => ({ from, to })),
    }),
  );
  return reachable(
    recipe,
    { cache: folder, progress: silent, signal: new AbortController().signal },
    seconds,
  );
}

/** Takes connections and never says a word, as a network does that drops packets: TLS never gets beyond connecting. */
async function mute(work: (address: string, asked: Promise<unknown>) => Promise<void>): Promise<void> {
  const sockets: Socket[] = [];
  const silence: Server = createServer((socket) => sockets.push(socket.on('error', () => {})));
  await new Promise<void>((done) => silence.listen(0, '127.0.0.1', done));
  const asked = new Promise((done) => silence.once('connection', done));
  try {
    await work(`https://127.0.0.1:${(silence.address() as { port: number }).port}/`, asked);
  } finally {
    for (const socket of sockets) socket.destroy();
    silence.close();
  }
}

/** A connection is given up after 20 s; what heeds its own limit is done long before. */
const early = <T>(work: Promise<T>) => Promise.race([work, sleep(12_000).then(() => 'too late' as const)]);

test('the decision is there within 10 seconds', () => {
  expect(DECISION_SECONDS).toBeLessThanOrEqual(8);
});

test('every place answers: the real recipe can be built', async () => {
  expect(await ask()).toBeUndefined();
  expect(server.requests.map(({ path }) => path).sort()).toEqual([
    '/files/tool',
    '/github/a/b/releases',
    '/k3s/',
  ]);
});

test('a place that says "not found" answers too', async () => {
  server.on('/k3s/', { status: 404, body: 'Not Found' });
  expect(await ask()).toBeUndefined();
});

test.each([
  ['is out of order', { 'https://files.test/': 'SERVER/broken/' }, 60, /^status 503$/],
  ['refuses connections', { 'https://files.test/': 'http://127.0.0.1:9/' }, 60, /connection was refused/],
  ['never answers', { 'https://files.test/': 'SERVER/never/' }, 3, /^no answer in 3 s$/],
])('one that %s is named, with the reason', async (_what, mirrors, seconds, why) => {
  server.on('/broken/tool', { status: 503 });
  server.on('/never/tool', { after: new Promise(() => {}) });
  const to = Object.entries(mirrors).map(([from, at]) => [from, at.replace('SERVER', server.url)] as const);
  const found = await early(ask(Object.fromEntries(to), seconds));
  expect(found).toEqual({ address: 'https://files.test/tool', why: expect.stringMatching(why) });
});

test('a network that drops packets is given up in time, too', () =>
  mute(async (address) => {
    const found = await early(ask({ 'https://files.test/': address }, 3));
    expect(found).toEqual({ address: 'https://files.test/tool', why: 'no answer in 3 s' });
  }));

test('an interruption is heeded at once, also while connecting', () =>
  mute(async (address, asked) => {
    const abort = new AbortController();
    const asking = probe(address, { mirrors: [], seconds: 60, signal: abort.signal });
    await asked;
    abort.abort(new Error('stopped'));
    await expect(early(asking)).rejects.toThrow('stopped');
  }));
