import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { serveRegistry } from '../../../src/lab/registry-server.ts';
import { releaseContents } from '../../../src/release/publish/contents.ts';
import { planRelease } from '../../../src/release/registry/plan.ts';
import { silent } from '../../../src/support/progress.ts';
import { sextant } from '../../sextant.ts';
import { errorOf } from '../../sources/context.ts';
import { exampleRelease, imageName, sha256 } from '../publish/example.ts';
import { agentRoot } from './agent-root.ts';
import { startCuttingProxy } from './cutting-proxy.ts';
import { publishTo } from './publishing.ts';
import {
  judge,
  judgeProgram,
  type RealRegistry,
  startListingRegistry,
  startRealRegistry,
} from './real-registry.ts';

const TAG = 'v1.36.3-k3s0';
/** bcrypt of "secret". */
const USERS = 'user:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n';
const host = process.arch === 'arm64' ? 'arm64' : 'amd64';
let folder: string;
let dist: string;
let registry: RealRegistry;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sextant-registry-judge-'));
  dist = exampleRelease(join(folder, 'dist'), {
    size: 3_000_000,
    signature: 'signed',
    extra: { 'provenance.intoto.jsonl': '{"payloadType":"application/vnd.in-toto+json"}\n' },
  });
  registry = await startRealRegistry();
  vi.stubEnv('DOCKER_CONFIG', folder);
  await publishTo(registry.host, dist);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await registry?.close();
  rmSync(folder, { recursive: true, force: true });
});
const reference = (suffix = '') => `${registry.host}/acme/k8s:${TAG}${suffix}`;
const image = (architecture: string) => readFileSync(join(dist, imageName(architecture)));

describe("in Debian's docker-registry, a published release", () => {
  test('is pulled by oras, for each architecture, as the extension under the name a node wants', () => {
    for (const architecture of ['amd64', 'arm64']) {
      const to = join(folder, `pulled-${architecture}`);
      mkdirSync(to);
      judge('oras', [
        'pull',
        '--plain-http',
        '--platform',
        `linux/${architecture}`,
        '--output',
        to,
        reference(),
      ]);
      expect(readdirSync(to)).toEqual(['provider-kairos.sysext.raw']);
      expect(sha256(readFileSync(join(to, 'provider-kairos.sysext.raw')))).toBe(sha256(image(architecture)));
    }
  });

  test('has its release files pulled by oras, as they were built', () => {
    const to = join(folder, 'files');
    mkdirSync(to);
    judge('oras', ['pull', '--plain-http', '--output', to, reference('-release')]);
    const expected = readdirSync(dist).filter((name) => !name.endsWith('.raw'));
    expect(readdirSync(to).sort()).toEqual(expected.sort());
    for (const name of expected)
      expect(readFileSync(join(to, name)).equals(readFileSync(join(dist, name)))).toBe(true);
  });

  test('shows oras what is attached, to the release and to each image', () => {
    const types = (of: string, ...more: string[]) =>
      JSON.parse(judge('oras', ['discover', '--plain-http', '--format', 'json', ...more, of])).manifests.map(
        ({ artifactType }: { artifactType: string }) => artifactType,
      );
    expect(types(reference())).toEqual([
      'application/vnd.sextant.release.v1',
      'application/vnd.sextant.signature.v1',
      'application/vnd.in-toto+json',
    ]);
    expect(types(reference('-arm64'))).toEqual(['application/spdx+json']);
    expect(types(reference(), '--artifact-type', 'application/vnd.in-toto+json')).toHaveLength(1);
  });

  test('is to crane an index of two architectures, and its tar form images that it exports', () => {
    const { manifests } = JSON.parse(judge('crane', ['manifest', reference()]));
    expect(manifests.map(({ platform }: { platform: object }) => platform)).toEqual([
      { architecture: 'amd64', os: 'linux' },
      { architecture: 'arm64', os: 'linux' },
    ]);
    expect(
      JSON.parse(judge('crane', ['config', '--platform', 'linux/arm64', reference('-tar')])),
    ).toMatchObject({
      architecture: 'arm64',
      os: 'linux',
    });
    const archive = join(folder, 'exported.tar');
    judge('crane', ['export', '--platform', 'linux/arm64', reference('-tar'), archive]);
    const bytes = execFileSync('tar', ['-xOf', archive, 'provider-kairos.sysext.raw'], {
      maxBuffer: 1 << 28,
    });
    expect(sha256(bytes)).toBe(sha256(image('arm64')));
    expect(judge('crane', ['digest', reference()]).trim()).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  test('sends nothing when it is published again, by the command line', () => {
    const { code, stdout } = sextant(['publish', `oci://${registry.host}/acme/k8s`, dist]);
    expect(stdout).toContain(
      `Up to date: provider-kairos: k3s v1.36.3+k3s0 is in ${registry.host}/acme/k8s, nothing was uploaded`,
    );
    expect(code).toBe(0);
  });
});

describe('kairos-agent v2.31.4', () => {
  let root: ReturnType<typeof agentRoot>;
  beforeEach(() => {
    root = agentRoot(mkdtempSync(join(folder, 'root-')));
  });

  test('installs the tar form, of its own architecture, whole and under the name that systemd wants', () => {
    const { code, said } = root.install(`oci:${reference('-tar')}`);
    expect(code, said).toBe(0);
    expect(root.stored()).toEqual(['provider-kairos.sysext.raw']);
    const path = join(root.store, 'provider-kairos.sysext.raw');
    expect(sha256(readFileSync(path))).toBe(sha256(image(host)));
    expect(statSync(path)).toMatchObject({ uid: 0, gid: 0, mode: 0o100644 });
  });

  test('installs it over an earlier one', () => {
    writeFileSync(join(root.store, 'provider-kairos.sysext.raw'), 'old');
    expect(root.install(`oci:${reference(`-tar-${host}`)}`).code).toBe(0);
    expect(sha256(readFileSync(join(root.store, 'provider-kairos.sysext.raw')))).toBe(sha256(image(host)));
  });

  test("installs it from the lab's registry, which guests are given, too", async () => {
    const context = { cache: folder, progress: silent, signal: new AbortController().signal };
    const plan = planRelease(await releaseContents(dist, context, { tar: true }), TAG);
    const server = await serveRegistry(plan);
    try {
      const { code, said } = await root.installing(`oci:127.0.0.1:${server.port}/any/where:${TAG}-tar`);
      expect(code, said).toBe(0);
      expect(sha256(readFileSync(join(root.store, 'provider-kairos.sysext.raw')))).toBe(sha256(image(host)));
    } finally {
      await server.close();
    }
  });

  test('makes nothing of the raw form: that is for later agents, as docs/publish.md says', () => {
    root.install(`oci:${reference()}`);
    expect(root.stored()).toEqual([]);
  });
});

describe('with a login', () => {
  let guarded: RealRegistry;
  beforeAll(async () => {
    guarded = await startRealRegistry(USERS);
  });
  afterAll(() => guarded?.close());
  afterEach(() => rmSync(join(folder, 'config.json'), { force: true }));

  test('that oras left in the docker configuration it is published, and read by oras with the same', async () => {
    judge('oras', ['login', '--plain-http', '--username', 'user', '--password', 'secret', guarded.host], {
      env: { DOCKER_CONFIG: folder },
    });
    await publishTo(guarded.host, dist);
    expect(judge('oras', ['resolve', '--plain-http', `${guarded.host}/acme/k8s:${TAG}`])).toMatch(/^sha256:/);
  });

  test('that is missing or wrong it is one line', async () => {
    expect((await errorOf(publishTo(guarded.host, dist))).hint).toBe(
      `log in first: docker login ${guarded.host}`,
    );
    const auth = Buffer.from('user:wrong').toString('base64');
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ auths: { [guarded.host]: { auth } } }));
    const error = await errorOf(publishTo(guarded.host, dist));
    expect(error.message).toMatch(/HTTP 401 Unauthorized$/);
    expect(error.hint).toContain('log in again');
  });
});

test('an upload that is cut arrives whole all the same: docker-registry forgets it, so it begins anew', async () => {
  const other = await startRealRegistry();
  const proxy = await startCuttingProxy(other.host, 1_500_000, 3);
  try {
    await publishTo(proxy.host, dist);
    expect(proxy.cuts()).toBe(3);
    const to = join(folder, 'cut');
    mkdirSync(to);
    const from = `${other.host}/acme/k8s:${TAG}`;
    judge('oras', ['pull', '--plain-http', '--platform', 'linux/amd64', '--output', to, from]);
    expect(sha256(readFileSync(join(to, 'provider-kairos.sysext.raw')))).toBe(sha256(image('amd64')));
  } finally {
    await proxy.close();
    await other.close();
  }
});

test('in a registry that lists what is attached by itself, no tag is made for it', async () => {
  const other = await startListingRegistry();
  try {
    const { attached, tags } = await publishTo(other.host, dist);
    const from = `${other.host}/acme/k8s`;
    expect(
      judge('crane', ['ls', from])
        .trim()
        .split('\n')
        .every((tag) => tag.startsWith(TAG)),
    ).toBe(true);
    const said = judge('oras', ['discover', '--plain-http', `${from}:${TAG}`]);
    const main = tags.at(-1)?.digest;
    for (const { digest, subject } of attached) if (subject === main) expect(said).toContain(digest);
    expect(await publishTo(other.host, dist)).toMatchObject({ changed: false });
  } finally {
    await other.close();
  }
});

test('the judges are the versions that the docs name', () => {
  expect(judge('oras', ['version'])).toContain('Go version');
  expect(readFileSync(`${judgeProgram('oras')}.key`, 'utf8')).toContain('oras.land/oras@v1.2.3');
  expect(readFileSync(`${judgeProgram('crane')}.key`, 'utf8')).toContain('go-containerregistry@v0.22.1');
});
