import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SextantError } from '../../src/support/errors.ts';
import { contextFor, errorOf, withFolder } from './context.ts';
import { sha256, startServer, type TestServer } from './server.ts';

const content = Buffer.alloc(300_000, 'the quick brown fox ');
const digest = sha256(content);
let server: TestServer;

beforeEach(async () => {
  server = await startServer();
});
afterEach(async () => {
  await server.close();
});

const blobOf = (path = '/file', size = content.length, sha = digest) => ({
  url: `${server.url}${path}`,
  size,
  sha256: sha,
});

async function blobsIn(cache: string): Promise<string[]> {
  const found = await readdir(join(cache, 'blobs'), { recursive: true }).catch(() => [] as string[]);
  return found.filter((name) => /[0-9a-f]{64}$/.test(name));
}

async function partialsIn(cache: string): Promise<string[]> {
  return readdir(join(cache, 'partial')).catch(() => []);
}

describe('fetch', () => {
  test('stores a blob under its digest, read-only, and asks once', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: content });
      const { store } = contextFor(cache);
      const path = await store.fetch(blobOf());
      expect(path).toBe(join(cache, 'blobs/sha256', digest.slice(0, 2), digest));
      expect(await readFile(path)).toEqual(content);
      expect((await stat(path)).mode & 0o777).toBe(0o444);
      await store.fetch(blobOf());
      expect(server.requests).toHaveLength(1);
      expect(await partialsIn(cache)).toEqual([]);
    }));

  test('asks once for a blob that several want at the same time', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: content });
      const { store } = contextFor(cache);
      await Promise.all([store.fetch(blobOf()), store.fetch(blobOf()), store.fetch(blobOf())]);
      expect(server.requests).toHaveLength(1);
    }));

  test('never has more than 6 downloads at once, and 4 from one host', () =>
    withFolder(async (cache) => {
      const other = await startServer();
      let running = 0;
      let most = 0;
      let mostHere = 0;
      let runningHere = 0;
      const bodies = Array.from({ length: 24 }, (_, i) => Buffer.from(`file ${i}`));
      const behaviour = (body: Buffer, here: boolean) => () => {
        running += 1;
        runningHere += here ? 1 : 0;
        most = Math.max(most, running);
        mostHere = Math.max(mostHere, runningHere);
        const after = new Promise<void>((resolve) => {
          setTimeout(() => {
            running -= 1;
            runningHere -= here ? 1 : 0;
            resolve();
          }, 5);
        });
        return { body, after };
      };
      const { store } = contextFor(cache);
      await Promise.all(
        bodies.map((body, i) => {
          const from = i % 2 === 0 ? server : other;
          from.on(`/${i}`, behaviour(body, from === server));
          return store.fetch({ url: `${from.url}/${i}`, size: body.length, sha256: sha256(body) });
        }),
      );
      await other.close();
      expect(most).toBeLessThanOrEqual(6);
      expect(mostHere).toBeLessThanOrEqual(4);
      expect(most).toBeGreaterThan(1);
    }));

  test('resumes a truncated body without sending its bytes again', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: content, cutAfter: 100_000 }, { body: content });
      const { store } = contextFor(cache);
      await store.fetch(blobOf());
      const [first, second] = server.requests;
      expect(first?.sent).toBe(100_000);
      expect(second?.range).toMatch(/^bytes=\d+-$/);
      expect(second?.ifRange).toMatch(/^"/);
      const from = Number(second?.range?.match(/\d+/)?.[0]);
      expect(from).toBeGreaterThan(0);
      expect(second?.sent).toBe(content.length - from);
    }));

  test('finishes over a server that cuts every answer, as long as each brings something', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: content, cutAfter: 20_000 });
      const { store } = contextFor(cache);
      await store.fetch(blobOf());
      expect(server.requests.length).toBeGreaterThan(10);
    }));

  test('starts over where the server knows no ranges', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: content, cutAfter: 100_000 }, { body: content, noRanges: true });
      const { store } = contextFor(cache);
      expect(await readFile(await store.fetch(blobOf()))).toEqual(content);
    }));

  test('gives up a server without ranges that always cuts at the same place', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: content, noRanges: true, cutAfter: 100_000 });
      const error = await errorOf(contextFor(cache).store.fetch(blobOf()));
      expect(error.code).toBe('network');
      expect(error.message).toContain(`${server.url}/file`);
      expect(server.requests.length).toBeLessThan(15);
      expect(await blobsIn(cache)).toEqual([]);
    }));

  test('tries again after a stall, going on where it stood', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: content, stallAfter: 50_000 }, { body: content });
      const { store } = contextFor(cache, { stallMs: 300 });
      await store.fetch(blobOf());
      expect(server.requests[1]?.range).toBeDefined();
    }));

  test('tries again after 503 with exponential back-off', () =>
    withFolder(async (cache) => {
      server.on('/file', { status: 503 }, { status: 503 }, { status: 502 }, { body: content });
      const context = contextFor(cache);
      await context.store.fetch(blobOf());
      expect(context.clock.waits).toEqual([375, 750, 1500]);
    }));

  test.each([
    ['seconds', '7', 7000],
    ['a date', 'Fri, 02 Jan 2026 03:04:25 GMT', 20_000],
  ])('honours Retry-After given as %s', (_, header, ms) =>
    withFolder(async (cache) => {
      server.on('/file', { status: 429, headers: { 'retry-after': header } }, { body: content });
      const context = contextFor(cache);
      await context.store.fetch(blobOf());
      expect(context.clock.waits).toEqual([ms]);
    }),
  );

  test('does not wait for an hour because a server says so', () =>
    withFolder(async (cache) => {
      server.on('/file', { status: 429, headers: { 'retry-after': '3600' } });
      const context = contextFor(cache);
      const error = await errorOf(context.store.fetch(blobOf()));
      expect(error.message).toContain('HTTP 429 Too Many Requests');
      expect(context.clock.waits).toEqual([]);
    }));

  test('asks once for what is not there, and says so', () =>
    withFolder(async (cache) => {
      const error = await errorOf(contextFor(cache).store.fetch(blobOf('/missing')));
      expect(error).toMatchObject({ code: 'network', message: `${server.url}/missing: HTTP 404 Not Found` });
      expect(error.hint).toContain('version');
      expect(server.requests).toHaveLength(1);
    }));

  test('names both digests of wrong bytes and keeps nothing', () =>
    withFolder(async (cache) => {
      const wrong = Buffer.from(content);
      wrong[12_345] = 0;
      server.on('/file', { body: wrong });
      const error = await errorOf(contextFor(cache).store.fetch(blobOf()));
      expect(error.code).toBe('verification');
      for (const part of [`${server.url}/file`, digest, sha256(wrong)]) expect(error.message).toContain(part);
      expect(await blobsIn(cache)).toEqual([]);
      expect(await partialsIn(cache)).toEqual([]);
      expect(server.requests).toHaveLength(1);
    }));

  test('names the size of an answer that is too long and keeps nothing', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: Buffer.concat([content, content]) });
      const error = await errorOf(contextFor(cache).store.fetch(blobOf()));
      expect(error.code).toBe('verification');
      expect(error.message).toContain(`(${content.length * 2} bytes)`);
      expect(await blobsIn(cache)).toEqual([]);
      expect(await partialsIn(cache)).toEqual([]);
    }));

  test('says that an HTML page came instead of the file', () =>
    withFolder(async (cache) => {
      server.on('/file', {
        body: '<!DOCTYPE html><html>Sign in</html>',
        headers: { 'content-type': 'text/html' },
      });
      const error = await errorOf(contextFor(cache).store.fetch(blobOf()));
      expect(error.code).toBe('verification');
      expect(error.hint).toContain('HTML page');
    }));

  test('does not trust wrong bytes left by an earlier run', () =>
    withFolder(async (cache) => {
      await mkdir(join(cache, 'partial'), { recursive: true });
      await writeFile(join(cache, 'partial', digest), 'something else');
      server.on('/file', { body: content });
      const { store } = contextFor(cache);
      expect(await readFile(await store.fetch(blobOf()))).toEqual(content);
      expect(server.requests.map(({ range }) => range)).toEqual(['bytes=14-', undefined]);
    }));

  test('goes on after an interruption without sending bytes again, and an interruption leaves no blob', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: content, stallAfter: 120_000 }, { body: content });
      const controller = new AbortController();
      const interrupted = contextFor(cache, { signal: controller.signal });
      let got = 0;
      const error = await errorOf(
        interrupted.store.fetch(blobOf(), {
          update({ bytes }) {
            got = bytes ?? got;
            if (got === 120_000) controller.abort();
          },
          done() {},
          fail() {},
        }),
      );
      expect(error.code).toBe('interrupted');
      expect(await blobsIn(cache)).toEqual([]);
      expect(await partialsIn(cache)).toContain(digest);
      await contextFor(cache).store.fetch(blobOf());
      expect(server.requests[1]?.range).toBe('bytes=120000-');
      expect(server.requests[1]?.sent).toBe(content.length - 120_000);
      expect(await partialsIn(cache)).toEqual([]);
    }));

  test('takes over what a killed process left', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: content, stallAfter: 120_000 }, { body: content });
      const child = fetchElsewhere(cache, blobOf());
      await new Promise<void>((resolve) => {
        child.on('message', (bytes) => {
          if (Number(bytes) >= 120_000) resolve();
        });
      });
      const ended = new Promise((resolve) => child.on('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      await contextFor(cache).store.fetch(blobOf());
      expect(server.requests[1]?.range).toBe('bytes=120000-');
      expect(await partialsIn(cache)).toEqual([]);
    }));

  test('lets a second process wait for the first instead of downloading twice', () =>
    withFolder(async (cache) => {
      let finish = () => {};
      const after = new Promise<void>((resolve) => {
        finish = resolve;
      });
      server.on('/file', { body: content, after });
      const first = fetchElsewhere(cache, blobOf());
      await expect.poll(() => server.requests.length, { timeout: 20_000 }).toBe(1);
      const second = fetchElsewhere(cache, blobOf());
      const codes = [first, second].map((child) => new Promise((resolve) => child.on('exit', resolve)));
      second.on('message', (message) => {
        if (String(message).includes('another sextant')) finish();
      });
      expect(await Promise.all(codes)).toEqual([0, 0]);
      expect(server.requests).toHaveLength(1);
      expect(sha256(await readFile(join(cache, 'blobs/sha256', digest.slice(0, 2), digest)))).toBe(digest);
      expect(await partialsIn(cache)).toEqual([]);
    }));

  test('removes a stored blob that was shortened and downloads it again', () =>
    withFolder(async (cache) => {
      const path = join(cache, 'blobs/sha256', digest.slice(0, 2), digest);
      await mkdir(join(path, '..'), { recursive: true });
      await writeFile(path, 'short');
      server.on('/file', { body: content });
      expect(await readFile(await contextFor(cache).store.fetch(blobOf()))).toEqual(content);
    }));

  test('frozen asks nothing and names what is missing', () =>
    withFolder(async (cache) => {
      const { store } = contextFor(cache, { frozen: true });
      const error = await errorOf(store.fetch(blobOf()));
      expect(error.code).toBe('input');
      expect(error.message).toContain(`${server.url}/file`);
      expect((await errorOf(store.discover(`${server.url}/file`))).code).toBe('input');
      expect(server.requests).toHaveLength(0);
    }));

  test('takes a finished file in and finds it', () =>
    withFolder(async (cache) => {
      await writeFile(join(cache, 'mine'), content);
      const { store } = contextFor(cache);
      expect(await store.add(join(cache, 'mine'))).toMatchObject({ sha256: digest, size: content.length });
      expect(await store.find(digest)).toBeDefined();
      expect(await store.find(sha256('other'))).toBeUndefined();
    }));
});

describe('redirects', () => {
  test('are followed, and authorization stays with its host', () =>
    withFolder(async (cache) => {
      const objects = await startServer();
      server.on('/file', { redirect: '/second' });
      server.on('/second', { redirect: `${objects.url}/signed?X-Amz-Signature=abc` });
      objects.on('/signed', { body: content });
      const { finalUrl, blob } = await contextFor(cache).store.discover(`${server.url}/file`, undefined, {
        headers: { authorization: 'Bearer secret' },
      });
      await objects.close();
      expect(finalUrl).toBe(`${objects.url}/signed?X-Amz-Signature=abc`);
      expect(blob).toEqual(blobOf());
      expect(server.requests.map(({ authorization }) => authorization)).toEqual([
        'Bearer secret',
        'Bearer secret',
      ]);
      expect(objects.requests[0]?.authorization).toBeUndefined();
    }));

  test('in a circle end after ten', () =>
    withFolder(async (cache) => {
      server.on('/file', { redirect: '/file' });
      const error = await errorOf(contextFor(cache).store.fetch(blobOf()));
      expect(error.message).toBe(`${server.url}/file: more than 10 redirects`);
      expect(server.requests).toHaveLength(11);
    }));
});

describe('mirrors', () => {
  test('the longest prefix wins, and errors name both addresses', () =>
    withFolder(async (cache) => {
      const mirrors = [
        { from: 'https://github.com/', to: `${server.url}/wrong/` },
        { from: 'https://github.com/acme/', to: `${server.url}/acme-mirror/` },
      ];
      const error = await errorOf(
        contextFor(cache, { mirrors }).store.fetch({
          url: 'https://github.com/acme/x',
          size: 1,
          sha256: digest,
        }),
      );
      expect(error.message).toBe(
        `https://github.com/acme/x (asked at ${server.url}/acme-mirror/x): HTTP 404 Not Found`,
      );
    }));

  test.each([
    ['a path', (folder: string) => `${folder}/mirror/`],
    ['a file address', (folder: string) => `file://${folder}/mirror/`],
  ])('may be %s', (_, to) =>
    withFolder(async (cache) => {
      await mkdir(join(cache, 'mirror'));
      await writeFile(join(cache, 'mirror', 'v1+k3s1'), content);
      const mirrors = [{ from: 'https://example.org/', to: to(cache) }];
      const { store } = contextFor(cache, { mirrors });
      const blob = { url: 'https://example.org/v1%2Bk3s1', size: content.length, sha256: digest };
      expect(await readFile(await store.fetch(blob))).toEqual(content);
      const missing = await errorOf(store.discover('https://example.org/other'));
      expect(missing.message).toContain('asked at');
      expect(missing.message).toContain('404');
    }),
  );
});

describe('discover', () => {
  test('goes on after an interruption when the server gave an ETag, and starts over when it gave none', () =>
    withFolder(async (cache) => {
      for (const noEtag of [false, true]) {
        const path = `/discover-${noEtag}`;
        server.on(path, { body: content, stallAfter: 90_000, noEtag }, { body: content, noEtag });
        const controller = new AbortController();
        await errorOf(
          contextFor(cache, { signal: controller.signal }).store.discover(`${server.url}${path}`, {
            update: ({ bytes }) => {
              if (bytes === 90_000) controller.abort();
            },
            done() {},
            fail() {},
          }),
        );
        const { blob } = await contextFor(cache).store.discover(`${server.url}${path}`);
        expect(blob.sha256).toBe(digest);
        expect(server.of(path)[1]?.range).toBe(noEtag ? undefined : 'bytes=90000-');
      }
    }));

  test('does not mix the beginning of an old file with the end of a new one', () =>
    withFolder(async (cache) => {
      const renewed = Buffer.alloc(300_000, 'renewed ');
      server.on('/file', { body: content, cutAfter: 100_000 }, { body: renewed });
      const { path } = await contextFor(cache).store.discover(`${server.url}/file`);
      expect(await readFile(path)).toEqual(renewed);
    }));

  test('with a digest keeps nothing of other bytes', () =>
    withFolder(async (cache) => {
      server.on('/file', { body: content });
      const error: SextantError = await errorOf(
        contextFor(cache).store.discover(`${server.url}/file`, undefined, { sha256: sha256('other') }),
      );
      expect(error.code).toBe('verification');
      expect(await blobsIn(cache)).toEqual([]);
    }));
});

test('a full disk is named, and leaves neither a blob nor a partial file', () =>
  withFolder(async (cache) => {
    // /dev/full answers every write with "no space left", as a full disk does.
    server.on('/file', { body: content });
    const { download } = await import('../../src/sources/download.ts');
    const { toSextantError } = await import('../../src/support/errors.ts');
    const { clock } = contextFor(cache);
    const error = await errorOf(
      download(
        {
          url: `${server.url}/file`,
          text: 'file',
          mirrors: [],
          headers: {},
          path: '/dev/full',
          etag: undefined,
          judged: true,
          size: content.length,
          signal: new AbortController().signal,
          clock,
          stallMs: 1000,
          step: { update() {}, done() {}, fail() {} },
        },
        () => {},
      ),
    );
    expect(toSextantError(error)).toMatchObject({ code: 'filesystem' });
    expect(clock.waits).toEqual([]);
  }));

test.skipIf(!canMount())('a full cache disk gives one clear error and keeps what was stored', () =>
  withFolder(async (cache) => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'sextant-test', cache]);
    try {
      const small = Buffer.from('small');
      server.on('/small', { body: small });
      server.on('/file', { body: Buffer.alloc(2_000_000, 'x') });
      const { store } = contextFor(cache);
      await store.fetch(blobOf('/small', small.length, sha256(small)));
      const error = await errorOf(
        store.fetch(blobOf('/file', 2_000_000, sha256(Buffer.alloc(2_000_000, 'x')))),
      );
      expect(error.code).toBe('filesystem');
      expect(error.message).toContain(`${cache}: no space left on the disk`);
      expect(error.hint).toContain('SEXTANT_CACHE');
      expect(await blobsIn(cache)).toHaveLength(1);
      expect(await partialsIn(cache)).toEqual([]);
    } finally {
      execFileSync('umount', [cache]);
    }
  }),
);

/** Whether a small file system can be mounted here: root in a container may not. */
function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'sextant-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'sextant-test', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts another process that fetches a blob; it sends the bytes it has so far as messages. */
function fetchElsewhere(cache: string, blob: object): ChildProcess {
  return fork(program, [], { env: { ...process.env, CACHE: cache, BLOB: JSON.stringify(blob) } });
}

const PROGRAM = `
  import { openStore } from './src/sources/store.ts';
  import { silent } from './src/support/progress.ts';
  const store = openStore({
    cache: process.env.CACHE, mirrors: [], frozen: false, signal: new AbortController().signal, progress: silent,
  });
  await store.fetch(JSON.parse(process.env.BLOB), {
    update: ({ bytes, note }) => process.send(note || (bytes ?? 0)), done() {}, fail() {},
  });
  process.exit(0);
`;
let program = '';
beforeAll(() => {
  program = join(mkdtempSync(join(tmpdir(), 'sextant-program-')), 'fetch.mjs');
  buildSync({
    stdin: { contents: PROGRAM, resolveDir: process.cwd(), loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    banner: {
      js: "import { createRequire as _cr } from 'node:module'; const require = _cr(import.meta.url);",
    },
  });
});
afterAll(() => rmSync(join(program, '..'), { recursive: true }));
