import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { storedModules } from '../../../src/sources/go-module/modules.ts';
import { contextFor, withFolder } from '../context.ts';
import { sha256 } from '../server.ts';
import { fakeProxy } from './fake-proxy.ts';

// A closed network: a mirror stands for Go's proxy, and neither the go command nor the checksum database is asked.

let proxy: Awaited<ReturnType<typeof fakeProxy>>;
beforeEach(async () => {
  proxy = await fakeProxy();
  proxy.publish({
    path: 'example.org/tool',
    version: 'v1.0.0',
    files: { 'go.mod': 'module example.org/tool\n' },
  });
  vi.stubEnv('PATH', '/nonexistent'); // Where there is no go.
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await proxy.server.close();
});

async function locked(kind: 'zip' | 'mod', digest?: string) {
  const response = await fetch(`${proxy.server.url}/example.org/tool/@v/v1.0.0.${kind}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  return { url: `go:example.org/tool@v1.0.0.${kind}`, size: bytes.length, sha256: digest ?? sha256(bytes) };
}

const mirrors = () => [{ from: 'https://proxy.golang.org', to: proxy.server.url }];

test('modules of a lock are fetched from the mirror by their digests', () =>
  withFolder(async (cache) => {
    const inputs = [await locked('zip'), await locked('mod')];
    const stored = await storedModules(inputs, contextFor(cache, { mirrors: mirrors() }), 'tool');
    expect(stored.map(({ blob }) => blob)).toEqual(inputs);
    for (const { blob, stored: path } of stored) expect(sha256(await readFile(path))).toBe(blob.sha256);
  }));

test('one that is not what the lock says is refused', () =>
  withFolder(async (cache) => {
    const inputs = [await locked('zip', 'e'.repeat(64))];
    await expect(
      storedModules(inputs, contextFor(cache, { mirrors: mirrors() }), 'tool'),
    ).rejects.toMatchObject({
      code: 'verification',
      message: expect.stringContaining('proxy.golang.org/example.org/tool/@v/v1.0.0.zip'),
    });
  }));
