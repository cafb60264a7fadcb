import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../src/support/files.ts';
import { type FakeNode, fakeImage, fakeNode, inputFor, NAME, nothingHalfWritten } from './fake-node.ts';
import { type Fault, type FaultyServer, faultyServer } from './faulty-server.ts';

const image = fakeImage(1, false);
let node: FakeNode;
let server: FaultyServer | undefined;

beforeEach(async () => {
  node = await fakeNode();
});
afterEach(async () => {
  await nothingHalfWritten(node);
  await server?.stop();
  server = undefined;
  await node.remove();
});

async function serve(...faults: Fault[]): Promise<FaultyServer> {
  server = await faultyServer(image, faults);
  await node.activate(inputFor(image, server.url));
  return server;
}

const part = () => join(dirname(node.file(image)), '.part');

async function expectInstalled(): Promise<void> {
  expect(sha256(await readFile(node.file(image)))).toBe(sha256(image));
  expect(await readlink(node.link)).toBe(`../sextant/${sha256(image)}/${NAME}.sysext.raw`);
  expect(existsSync(part())).toBe(false);
  expect(node.merged()).toBe(true);
  expect(await node.verified()).toBe(true);
}

test('a first boot downloads, enables, pins and merges', async () => {
  await serve('good');
  const { code, said } = await node.command('run');
  expect(code, said).toBe(0);
  expect(said).toContain('dm-verity in use');
  await expectInstalled();
});

test('where the file came from stays beside it, for sextant-node and root alone', async () => {
  const { url } = await serve('good');
  await node.command('run');
  const origin = node.file(image).replace(/raw$/, 'url');
  expect(await readFile(origin, 'utf8')).toBe(`${url}\n`);
  expect((await stat(origin)).mode & 0o777).toBe(0o600);
});

test('a public registry gets what it wants: each try asks for a token anew', async () => {
  const { addresses, ranges, url } = await serve('token', 'token', 'token, breaks', 'token');
  const place = 'oci://registry.example.org/acme/k8s:v1.36.3-k3s1';
  const { images, ...rest } = inputFor(image, url);
  const { amd64 } = images;
  await node.activate({ ...rest, images: amd64 === undefined ? {} : { amd64: { ...amd64, place } } });
  const { code, said } = await node.command('run');
  expect(code, said).toBe(0);
  const path = new URL(url).pathname;
  const token = '/token?service=registry.example.org&scope=repository:acme/k8s:pull';
  expect(addresses.map(decodeURIComponent)).toEqual([path, token, path, path, token, path]);
  expect(ranges).toEqual(['', '', '', 'bytes=900000-', '', 'bytes=900000-']);
  await expectInstalled();
  // For sextant-node, which can find another version there.
  expect(await readFile(node.file(image).replace(/raw$/, 'url'), 'utf8')).toBe(`${place}\n`);
});

test('a registry that gives no token is named with what it said', async () => {
  const { url } = await serve('no token', 'no token', 'good');
  const { code, said } = await node.command('run');
  expect(code, said).toBe(0);
  expect(said).toMatch(new RegExp(`${url}: .*401.*; next try`));
});

test('a second run fetches and restarts nothing', async () => {
  const { ranges } = await serve('good');
  await node.command('run');
  const calls = await node.calls();
  const { code, said } = await node.command('run');
  expect([code, said]).toEqual([0, '']);
  expect(ranges).toHaveLength(1);
  expect(await node.calls()).toEqual(calls);
});

test('two runs at the same time download once', async () => {
  const { ranges } = await serve('good');
  const results = await Promise.all([node.command('run'), node.command('run'), node.command('run')]);
  expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(ranges).toHaveLength(1);
  await expectInstalled();
});

test('a download that breaks goes on where it stopped', async () => {
  const { ranges } = await serve('breaks', 'breaks', 'good');
  const { code, said } = await node.command('run');
  expect(code, said).toBe(0);
  expect(ranges).toEqual(['', 'bytes=900000-', 'bytes=1260000-']);
  expect(said).toMatch(/900000 of 1500001 bytes are here\); next try in 0 s/);
  await expectInstalled();
});

test('a failed try enables nothing and says what is there and what is missing', async () => {
  await serve('breaks');
  const { code } = await node.command('once');
  expect(code).toBe(1);
  expect(existsSync(node.link)).toBe(false);
  expect((await readFile(part())).length).toBe(900_000);
  expect(await node.calls()).toEqual([]);
});

test('a wrong byte is found, named with both digests, and not kept', async () => {
  const { url } = await serve('wrong byte');
  const { code, said } = await node.command('once');
  expect(code).toBe(1);
  expect(existsSync(part())).toBe(false);
  expect(existsSync(node.link)).toBe(false);
  expect(said).toContain('fetching');
  const again = node.command('run');
  await server?.answered();
  await server?.stop();
  server = await faultyServer(image, ['good'], Number(new URL(url).port));
  const result = await again;
  expect(result.said).toMatch(
    new RegExp(
      `expected ${image.length} bytes with SHA-256 ${sha256(image)}, got ${image.length} with [0-9a-f]{64}`,
    ),
  );
  await expectInstalled();
});

test.each([
  ['web page', /a web page; is there a login page/],
  ['not found', /404/],
  ['unavailable', /503/],
  ['short', /expected 1500001 bytes with SHA-256 [0-9a-f]{64}, got 900000 with/],
  ['endless', /more than the 1500001 bytes expected|cannot write/],
] as const)('a server that answers "%s" is named and asked again', async (fault, line) => {
  await serve(fault, fault, 'good');
  const { code, said } = await node.command('run');
  expect(code, said).toBe(0);
  expect(said).toMatch(line);
  expect(said.match(/next try in 0 s/g)).toHaveLength(2);
  await expectInstalled();
});

test.each(['no ranges', 'range not satisfiable'] as const)(
  'a server with %s is asked for the whole file again',
  async (fault) => {
    const { ranges } = await serve('breaks', fault, 'good');
    const { code, said } = await node.command('run');
    expect(code, said).toBe(0);
    expect(said).toContain('the server cannot continue a download; starting again');
    expect(ranges).toEqual(['', 'bytes=900000-', '']);
    await expectInstalled();
  },
);

test('without a network it keeps trying and succeeds once there is one', async () => {
  const gone = await faultyServer(image, ['good']);
  await gone.stop();
  await node.activate(inputFor(image, gone.url));
  const running = node.command('run');
  const stateFile = join(node.paths.runtime, 'state');
  await expect
    .poll(() => readFile(stateFile, 'utf8').catch(() => ''), { timeout: 20_000, interval: 5 })
    .toMatch(/(waiting|working) [2-9]/);
  expect(existsSync(node.link)).toBe(false);
  server = await faultyServer(image, ['good'], Number(new URL(gone.url).port));
  const { code, said } = await running;
  expect(code).toBe(0);
  expect(said).toMatch(/Failed to connect|Couldn't connect|Connection refused/);
  await expectInstalled();
});

test('killed in the middle of a download, the next run goes on', async () => {
  const { ranges, answered } = await serve('stalls', 'good');
  const stop = new AbortController();
  const killed = node.command('run', stop.signal).catch((error: unknown) => error);
  await answered();
  const size = () =>
    readFile(part()).then(
      ({ length }) => length,
      () => 0,
    );
  await expect.poll(size, { timeout: 20_000 }).toBeGreaterThan(0);
  stop.abort(); // SIGKILL to the script and to curl
  await killed;
  const kept = await size();
  expect(existsSync(node.link)).toBe(false);
  await nothingHalfWritten(node);
  const { code, said } = await node.command('run');
  expect(code, said).toBe(0);
  expect(ranges).toEqual(['', `bytes=${kept}-`]);
  await expectInstalled();
});

test.each(['before', 'after'])(
  'killed %s any of its steps, nothing half-written is enabled and the next run ends well',
  async (when) => {
    await serve('good');
    const act = (tool: string) => `/bin/${tool} "$@" || exit`;
    const die = 'n=$(($(cat "$STUB/steps") - 1)); echo $n >"$STUB/steps"; [ $n != 0 ] || kill -9 $PPID';
    for (const tool of ['mv', 'ln', 'chmod', 'sync', 'mkdir']) {
      const order = when === 'before' ? [die, act(tool)] : [act(tool), die];
      await node.set(tool, `#!/bin/sh\n${order.join('\n')}\n`);
      await chmod(join(node.root, 'stub', tool), 0o755);
    }
    let killed = 0;
    for (let step = 1; ; step += 1) {
      await rm(join(node.root, 'var'), { recursive: true, force: true });
      await node.set('steps', String(step));
      await node.reboot().catch(() => {});
      const result = await node.command('once').catch(() => undefined);
      const ended = Number(await readFile(join(node.root, 'stub/steps'), 'utf8')) > 0;
      await nothingHalfWritten(node);
      if (ended) {
        expect(result?.code).toBe(0);
        break;
      }
      killed += 1;
      await node.set('steps', '-1');
      await node.reboot();
      expect((await node.command('run')).code).toBe(0);
      await expectInstalled();
    }
    expect(killed).toBeGreaterThan(10);
  },
);

test('killed between the download and its new name, the next run needs no network', async () => {
  const { ranges } = await serve('not found');
  await mkdir(dirname(part()), { recursive: true });
  await writeFile(part(), image);
  expect((await node.command('run')).code).toBe(0);
  expect(ranges).toEqual([]);
  await expectInstalled();
});

test('a part file longer than the file, and one of another file, are thrown away', async () => {
  const { ranges } = await serve('good');
  const other = join(node.paths.store, 'sextant', 'f'.repeat(64), '.part');
  for (const file of [part(), other]) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, Buffer.concat([image, image]));
  }
  expect((await node.command('run')).code).toBe(0);
  expect(ranges).toEqual(['']);
  expect(existsSync(other)).toBe(false);
  await expectInstalled();
});

test('a file that was damaged on the disk is fetched again', async () => {
  const { ranges } = await serve('good');
  await node.command('run');
  const damaged = Buffer.from(image);
  damaged[70_000] = (damaged[70_000] ?? 0) ^ 1;
  await writeFile(node.file(image), damaged);
  await node.set('merge-fails');
  await node.reboot();
  await node.unset('merge-fails');
  const { code, said } = await node.command('run');
  expect(code, said).toBe(0);
  expect(said).toContain('is damaged: fetching it again');
  expect(ranges).toHaveLength(2);
  await expectInstalled();
});

test('the founding layout’s file of the same digest is taken over without a download', async () => {
  const { ranges } = await serve('not found');
  const found = join(node.paths.store, `${NAME}.sysext.raw`);
  await mkdir(join(node.paths.store, 'active'), { recursive: true });
  await writeFile(found, image);
  await symlink(found, node.link);
  await node.reboot();
  expect(node.merged()).toBe(true);
  expect(await node.verified()).toBe(false);
  expect((await node.command('run')).code).toBe(0);
  expect(ranges).toEqual([]);
  expect(existsSync(found)).toBe(false);
  await expectInstalled();
});

test('the founding layout’s file of another digest stays, and ours takes its place', async () => {
  await serve('good');
  const found = join(node.paths.store, `${NAME}.sysext.raw`);
  await mkdir(dirname(found), { recursive: true });
  await writeFile(found, fakeImage(2, false));
  expect((await node.command('run')).code).toBe(0);
  expect(existsSync(found)).toBe(true);
  await expectInstalled();
});

test('a folder where the link belongs is named, not written into', async () => {
  await serve('good');
  await mkdir(node.link, { recursive: true });
  const { code } = await node.command('once');
  expect(code).toBe(1);
  await rm(node.link, { recursive: true });
});

test('a proxy is asked for the address, by the name in it', async () => {
  server = await faultyServer(image, ['good']);
  const proxy = { httpProxy: new URL(server.url).origin };
  await node.activate(inputFor(image, 'http://releases.invalid/x.raw', { proxy }));
  expect((await node.command('run')).code).toBe(0);
  expect(server.addresses).toEqual(['http://releases.invalid/x.raw']);
  await expectInstalled();
});

test('an architecture without an image is refused for good', async () => {
  await node.activate({
    ...inputFor(image, 'http://127.0.0.1:1/x'),
    images: {
      arm64: {
        url: 'http://127.0.0.1:1/x',
        fileName: 'x',
        sha256: 'a'.repeat(64),
        size: 1,
        rootHash: 'b'.repeat(64),
      },
    },
  });
  const { code, said } = await node.command('run');
  expect(code).toBe(3);
  expect(said).toContain('no image for x86_64');
});
