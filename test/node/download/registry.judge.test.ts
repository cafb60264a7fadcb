import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { obtainImage } from '../../../src/node/download/obtain.ts';
import { blobAddress, registryRelease } from '../../../src/node/download/registry.ts';
import { imageFor, parseRelease } from '../../../src/node/download/release.ts';
import { storeFile } from '../../../src/node/model/paths.ts';
import { exampleRelease, imageName } from '../../release/publish/example.ts';
import { publishTo } from '../../release/registry/publishing.ts';
import { type RealRegistry, startRealRegistry } from '../../release/registry/real-registry.ts';
import { place, realPrograms, rootedHost } from '../rooted.ts';

/** bcrypt of "secret". */
const USERS = 'node:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n';
const folder = mkdtempSync(join(tmpdir(), 'sextant-node-registry-judge-'));
const dist = join(folder, 'dist');
const registries: RealRegistry[] = [];
beforeAll(() => {
  exampleRelease(dist, { size: 1_000_000 });
  vi.stubEnv('DOCKER_CONFIG', folder);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  for (const registry of registries) await registry.close();
  rmSync(folder, { recursive: true, force: true });
});

test.each([
  ['that anyone may read', undefined],
  ['with a login', USERS],
])("what sextant publishes to Debian's docker-registry %s, sextant-node fetches", async (_, users) => {
  const registry = await startRealRegistry(users);
  registries.push(registry);
  const logins = JSON.stringify({
    auths: { [registry.host]: { auth: Buffer.from('node:secret').toString('base64') } },
  });
  writeFileSync(join(folder, 'config.json'), logins);
  await publishTo(registry.host, dist);
  const root = mkdtempSync(join(folder, 'root-'));
  realPrograms(root, ['curl', 'sha256sum']);
  place(root, '/run/sextant/x', '');
  if (users !== undefined) place(root, '/root/.docker/config.json', logins);
  const host = rootedHost(root);
  const reference = `oci://${registry.host}/acme/k8s:v1.36.3-k3s0`;
  const release = parseRelease(registryRelease(host, reference), reference);
  const image = imageFor(release, 'arm64', reference);
  const file = { name: release.name, sha256: image.sha256, rootHash: image.rootHash, size: image.size };
  obtainImage(host, file, { kind: 'registry', place: blobAddress(reference, image.sha256) }, () => {});
  expect(readFileSync(`${root}${storeFile(file)}`).equals(readFileSync(join(dist, imageName('arm64'))))).toBe(
    true,
  );
});
