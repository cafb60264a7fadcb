import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { storeFile } from '../../../src/node/model/paths.ts';
import type { ExtensionFile } from '../../../src/node/model/types.ts';
import { expectGolden } from '../../golden.ts';
import { releaseText, sha256 } from '../download/example.ts';
import { KUBECONFIG } from '../life/played-node.ts';
import { place, program } from '../rooted.ts';
import { startWorkerServer, type WorkerServer } from '../worker-server.ts';
import {
  cutAfter,
  everyCut,
  type FakeNode,
  fakeNode,
  kubernetesRuns,
  NAME,
  nothingHalfWritten,
  withoutProcesses,
} from './fake-node.ts';
import { type RealImage, realImages } from './images.ts';

let server: WorkerServer;
let old: RealImage;
let fresh: RealImage;
let node: FakeNode;
let now: ExtensionFile;
beforeAll(async () => {
  server = await startWorkerServer();
  [old, fresh] = await realImages();
});
afterAll(() => server.close());
beforeEach(() => {
  node = fakeNode();
  now = node.activated(old.bytes, old.rootHash);
  kubernetesRuns(node.root);
  node.adopted(now);
  place(node.root, storeFile(now).replace(/raw$/, 'url'), `${server.url}/v1.33.4+k3s1/image.sysext.raw`);
});
afterEach(() => node.remove());

/** Serves a release of the new image. */
async function serve(version: string, change: Parameters<typeof releaseText>[1] = {}): Promise<void> {
  const body = releaseText(fresh.bytes, { version, rootHash: fresh.rootHash, ...change });
  await server.on(`/${version}/release.json`, { body });
  await server.on(`/${version}/image.sysext.raw`, { body: fresh.bytes });
}
const shown = (text: string) => text.replaceAll(server.url, 'http://server').replaceAll(node.root, '');
const newFile = (): ExtensionFile => ({
  name: NAME,
  sha256: sha256(fresh.bytes),
  rootHash: fresh.rootHash,
  size: fresh.bytes.length,
});
/** A release in a folder of the node. */
function inFolder(version: string, change: Parameters<typeof releaseText>[1] = {}): string {
  place(
    node.root,
    '/opt/release/release.json',
    releaseText(fresh.bytes, { version, rootHash: fresh.rootHash, ...change }),
  );
  place(node.root, '/opt/release/image.sysext.raw', fresh.bytes);
  return '/opt/release';
}

describe('upgrade', () => {
  test('to a version: fetched, verified, put on trial, and the node restarts', async () => {
    await serve('v1.33.5+k3s1');
    const { code, out, err } = node.run(['upgrade', '--to', 'v1.33.5+k3s1']);
    expect(err).not.toContain('error');
    expect(code).toBe(0);
    expectGolden(shown(out), 'test/node/golden/upgrade-patch.txt');
    const records = node.records();
    expect(records.generations.at(-1)).toMatchObject({
      id: 2,
      state: 'new',
      kubernetes: 'v1.33.5+k3s1',
      snapshot: null,
    });
    expect(records.wanted).toBe(2);
    expect(readFileSync(`${node.root}${storeFile(newFile())}`).equals(fresh.bytes)).toBe(true);
    expect(readFileSync(`${node.root}${storeFile(newFile()).replace(/raw$/, 'url')}`, 'utf8').trim()).toBe(
      `${server.url}/v1.33.5+k3s1/image.sysext.raw`,
    );
    expect(readFileSync(`${node.root}${storeFile(newFile()).replace(/raw$/, 'roothash')}`, 'utf8')).toBe(
      fresh.rootHash,
    );
    const calls = node.calls();
    expect(calls.at(-1)).toBe('systemctl reboot');
    expect(calls.some((line) => line.startsWith('veritysetup verify --hash-offset='))).toBe(true);
    expect(calls.some((line) => line.startsWith('systemctl stop k3s'))).toBe(false);
  });

  test('notes how the system pods are right before the trial, which is held to that', () => {
    const pods = [{ metadata: { name: 'own' }, status: { phase: 'Running', conditions: [] } }];
    place(node.root, '/etc/rancher/k3s/k3s.yaml', KUBECONFIG);
    program(
      node.root,
      'curl',
      `case "$*" in */pods?*) echo '${JSON.stringify({ items: pods })}';; *) exit 22;; esac`,
    );
    expect(node.run(['upgrade', '--to', inFolder('v1.33.5+k3s1')]).code).toBe(0);
    const baseline = () => JSON.parse(node.host.readText('/opt/sextant/health/baseline.json') ?? 'null');
    expect(baseline()).toEqual({ format: 1, unready: ['Pod/own'] });
  });

  test('to the next minor version stops Kubernetes, takes a snapshot, and says what going back costs', async () => {
    await serve('v1.34.1+k3s1');
    const { code, out } = node.run(['upgrade', '--to', 'v1.34.1+k3s1']);
    expect(code).toBe(0);
    expectGolden(shown(out), 'test/node/golden/upgrade-minor.txt');
    expect(node.records().generations.at(-1)?.snapshot).toBe('2');
    const copy = `${node.root}/opt/sextant/snapshots/2`;
    expect(readFileSync(`${copy}/data/state.db`, 'utf8')).toBe('the cluster');
    expect(JSON.parse(readFileSync(`${copy}/snapshot.json`, 'utf8'))).toMatchObject({
      kubernetes: 'v1.33.4+k3s1',
    });
    const calls = node.calls().filter((line) => line.startsWith('systemctl'));
    expect(calls).toEqual(['systemctl stop k3s.service', 'systemctl reboot']);
  });

  test('live exchanges the links, merges and starts what was stopped', async () => {
    await serve('v1.34.1+k3s1');
    expect(node.run(['upgrade', '--to', 'v1.34.1+k3s1', '--live']).code).toBe(0);
    const calls = node.calls().filter((line) => line.startsWith('systemctl'));
    expect(calls[0]).toBe('systemctl stop k3s.service');
    expect(calls).toContain('systemctl restart systemd-sysext.service');
    expect(calls.slice(-2)).toEqual([
      'systemctl start --no-block k3s.service',
      'systemctl restart --no-block sextant-watch.service',
    ]);
    expect(node.host.readlink(`/run/extensions/${NAME}.sysext.raw`)).toBe(storeFile(newFile()));
    expect(node.records().boot).toMatchObject({ generation: 2, counted: true });
  });

  test('live that fails half-way restarts the node', async () => {
    await serve('v1.33.5+k3s1');
    const program = readFileSync(`${node.root}/usr/bin/systemctl`, 'utf8');
    writeFileSync(`${node.root}/usr/bin/systemctl`, `${program}[ "$1" != restart ] || exit 1\n`);
    const { code, err } = node.run(['upgrade', '--to', 'v1.33.5+k3s1', '--live']);
    expect(code).toBe(5);
    expect(err).toContain(
      'error: the live exchange failed: systemctl failed with exit code 1; the node restarts',
    );
    expect(node.calls().at(-1)).toBe('systemctl reboot');
  });

  test('across a minor version with several servers promises no way back, and takes no snapshot', () => {
    place(node.root, '/var/lib/rancher/k3s/server/db/etcd/member/snap/db', 'x');
    const { code, out } = node.run(['upgrade', '--to', inFolder('v1.34.1+k3s1'), '--dry-run']);
    expect(code).toBe(0);
    expectGolden(shown(out), 'test/node/golden/upgrade-several.txt');
  });

  test('waits for no other download, and says so', () => {
    const folder = inFolder('v1.33.5+k3s1');
    place(node.root, '/run/sextant/download.lock', '');
    const held = node.host.lock('/run/sextant/download.lock', 0);
    expect(node.run(['upgrade', '--to', folder])).toMatchObject({
      code: 9,
      err: expect.stringContaining('another sextant-node is fetching a release'),
    });
    held?.release();
    expect(node.run(['upgrade', '--to', folder]).code).toBe(0);
  });

  test('--dry-run says the same and changes nothing', async () => {
    await serve('v1.34.1+k3s1');
    const before = node.durable();
    const { code, out } = node.run(['upgrade', '--to', 'v1.34.1+k3s1', '--dry-run']);
    expect(code).toBe(0);
    expect(out).toContain('Nothing was done: --dry-run.');
    expect(node.durable()).toEqual(before);
    expect(node.calls()).toEqual([]);
  });

  test('without --to takes what the known address has now; a folder and a file do as well', async () => {
    await server.on('/v1.33.4+k3s1/release.json', {
      body: releaseText(fresh.bytes, { version: 'v1.33.6+k3s1', rootHash: fresh.rootHash }),
    });
    expect(node.run(['upgrade', '--dry-run']).out).toContain('Kubernetes v1.33.6+k3s1 from');
    inFolder('v1.33.5+k3s1');
    expect(node.run(['upgrade', '--to', '/opt/release/release.json', '--dry-run']).code).toBe(0);
    expect(node.run(['upgrade', '--to', '/opt/release']).code).toBe(0);
    expect(node.records().wanted).toBe(2);
  });

  test('--at fetches and verifies now, and leaves the trial to a timer', async () => {
    await serve('v1.33.5+k3s1');
    const { code, out } = node.run(['upgrade', '--to', 'v1.33.5+k3s1', '--at', 'Sat 03:30', '--again']);
    expect(code).toBe(0);
    expect(out).toContain('The trial begins at Sat 03:30');
    expect(existsSync(`${node.root}${storeFile(newFile())}`)).toBe(true);
    expect(node.records().wanted).toBeNull();
    expect(
      node
        .calls()
        .filter((line) => /^systemd-run|systemctl/.test(line))
        .map(shown),
    ).toEqual([
      'systemctl stop sextant-upgrade.timer',
      'systemd-run --unit sextant-upgrade --collect --on-calendar Sat 03:30 --timer-property AccuracySec=1s --description Upgrade of Kubernetes by sextant-node -- /opt/sextant/bin/sextant-node upgrade --to http://server/v1.33.5+k3s1/release.json --reboot --again',
    ]);
  });

  test('--at whose time comes while the release is fetched begins the trial then', async () => {
    await serve('v1.33.5+k3s1');
    place(node.root, '/usr/bin/systemd-run', '#!/bin/sh\n', 0o755); // as if it had fired and gone
    const { code, out } = node.run(['upgrade', '--to', 'v1.33.5+k3s1', '--at', '03:30']);
    expect(code).toBe(0);
    expect(out).toContain('03:30 has come meanwhile, so the trial begins now');
    expect(node.records().wanted).toBe(2);
    expect(node.calls().at(-1)).toBe('systemctl reboot');
  });

  describe('--window', () => {
    const opens = (from: string) =>
      place(
        node.root,
        '/usr/bin/systemd-analyze',
        `#!/bin/sh\nprintf '%s|' "$@" >"$ROOT/analyzed"\necho "    From now: ${from}"\n`,
        0o755,
      );
    const set = (window: unknown) =>
      place(node.root, '/etc/sextant/settings.json', JSON.stringify({ window }));
    beforeEach(async () => {
      await serve('v1.33.5+k3s1');
      set({ start: 'Sat 02:00', minutes: 180 });
    });
    const upgrade = () => node.run(['upgrade', '--to', 'v1.33.5+k3s1', '--window']);

    test('that is open begins the trial now', () => {
      opens('2h 59min ago');
      const { code, out } = upgrade();
      expect(code).toBe(0);
      expect(out).toContain('The maintenance window is open: the trial begins once the release is');
      expect(readFileSync(`${node.root}/analyzed`, 'utf8')).toBe(
        'calendar|--base-time=-180 minutes|Sat 02:00|',
      );
      expect(node.records().wanted).toBe(2);
      expect(node.calls().at(-1)).toBe('systemctl reboot');
    });

    test('that is closed fetches and verifies now, and leaves the trial to a timer', () => {
      opens('20h left');
      const { code, out } = upgrade();
      expect(code).toBe(0);
      expect(out).toContain('The maintenance window is closed (Sat 02:00, 180 min).');
      expect(out).toContain('The trial begins at Sat 02:00');
      expect(existsSync(`${node.root}${storeFile(newFile())}`)).toBe(true);
      expect(node.records().wanted).toBeNull();
      expect(node.calls().at(-1)).toContain('--on-calendar Sat 02:00');
    });

    test('needs one in the settings that systemd understands', () => {
      const lines = [undefined, { start: 'Sat 02:00' }, { start: '--help', minutes: 1 }, 7].map((window) => {
        set(window);
        const { code, err } = upgrade();
        expect(code).toBe(3);
        return /error: (.+)/.exec(err)?.[1];
      });
      expect(lines).toEqual([
        'upgrade: --window: the settings of this node name no maintenance window',
        ...Array.from(
          { length: 3 },
          () => '/etc/sextant/settings.json: window: a start and minutes expected',
        ),
      ]);
      set({ start: 'nonsense', minutes: 5 });
      place(
        node.root,
        '/usr/bin/systemd-analyze',
        '#!/bin/sh\necho "Failed to parse calendar specification \'nonsense\': Invalid argument" >&2\nexit 1\n',
        0o755,
      );
      expect(upgrade()).toMatchObject({
        code: 3,
        err: expect.stringContaining('window: "nonsense" is not a time that systemd understands'),
      });
      expect(node.run(['upgrade', '--window', '--at', '03:30']).code).toBe(2);
      expect(node.calls()).toEqual([]);
    });
  });

  test('on trial again keeps the snapshot of the trial before', async () => {
    const folder = inFolder('v1.34.1+k3s1');
    place(node.root, '/opt/sextant/snapshots/2/snapshot.json', '{}');
    expect(node.run(['upgrade', '--to', folder]).code).toBe(0);
    expect(node.records().generations.at(-1)?.snapshot).toBe('2-2');
  });
});

test('every refusal of an upgrade is one line and a hint, and changes nothing', async () => {
  await serve('v1.35.0+k3s1');
  await serve('v1.33.9+k3s1', { name: 'other-extension' });
  await serve('v1.33.8+k3s1', { rootHash: 'd'.repeat(64) });
  await server.on('/v1.33.7+k3s1/release.json', {
    body: releaseText(fresh.bytes, { version: 'v1.33.2+k3s1' }),
  });
  await serve('v1.33.5+k3s1');
  const lines: string[] = [];
  const refused = (name: string, args: readonly string[], prepare = () => {}) => {
    prepare();
    const before = node.durable();
    const { code, err } = node.run(['upgrade', ...args]);
    const said = err.split('\n').filter((line) => /^(error|hint)/.test(line));
    lines.push(`${name}: exit code ${code}\n${said.map((line) => `  ${shown(line)}\n`).join('')}`);
    expect(code, name).not.toBe(0);
    expect(
      node.durable().filter((path) => !path.includes('/extensions/sextant/')),
      name,
    ).toEqual(before.filter((path) => !path.includes('/extensions/sextant/')));
    nothingHalfWritten(node);
  };
  refused('a minor version skipped', ['--to', 'v1.35.0+k3s1']);
  refused('a registry without a tag', ['--to', 'oci://r.example.org/kubernetes']);
  refused('a release that is not there', ['--to', 'v1.33.99+k3s1']);
  refused('a server that is not there', ['--to', 'http://127.0.0.1:1/release.json']);
  refused('another extension', ['--to', 'v1.33.9+k3s1']);
  refused('another version than asked for', ['--to', 'v1.33.7+k3s1']);
  refused('a root hash that is not the image’s', ['--to', 'v1.33.8+k3s1']);
  refused('a folder without a release', ['--to', '/opt/nothing']);
  refused('both ways', ['--live', '--reboot']);
  refused('a damaged tree', ['--to', 'v1.33.5+k3s1'], () => place(node.root, '/bad-tree', ''));
  node.host.unlink('/bad-tree');
  refused('no signature under the strict policy', ['--to', 'v1.33.5+k3s1'], () =>
    place(node.root, '/run/systemd/system/systemd-sysext.service.d/zz-sextant-strict.conf', ''),
  );
  node.host.unlink('/run/systemd/system/systemd-sysext.service.d/zz-sextant-strict.conf');
  refused('what runs already', ['--to', inFolderOfOld()]);
  refused('a pinned generation', ['--to', 'v1.33.5+k3s1'], () =>
    node.write({ ...node.records(), pins: [1] }),
  );
  refused('no records', ['--to', 'v1.33.5+k3s1'], () =>
    node.host.unlink('/opt/sextant/records/generations.json'),
  );
  expectGolden(lines.join(''), 'test/node/golden/upgrade-refusals.txt');
});

function inFolderOfOld(): string {
  place(
    node.root,
    '/opt/old/release.json',
    releaseText(old.bytes, { version: 'v1.33.4+k3s1', rootHash: old.rootHash }),
  );
  place(node.root, '/opt/old/image.sysext.raw', old.bytes);
  return '/opt/old';
}

test('an agent node holds to the API server, which may be named where it does not answer', () => {
  place(node.root, '/var/lib/rancher/k3s/agent/kubelet.kubeconfig', 'x');
  for (const path of ['/etc/rancher/k3s/k3s.yaml', '/var/lib/rancher/k3s/server/db/state.db'])
    node.host.unlink(path);
  node.host.rmdir('/var/lib/rancher/k3s/server/db');
  node.host.rmdir('/var/lib/rancher/k3s/server');
  const folder = inFolder('v1.34.1+k3s1');
  expect(node.run(['upgrade', '--to', folder, '--dry-run'])).toMatchObject({
    code: 8,
    err: expect.stringContaining("the cluster's API server does not say its version"),
  });
  expect(node.run(['upgrade', '--to', folder, '--dry-run', '--cluster-version', 'v1.34.0']).code).toBe(0);
});

test('a power cut at any point of an upgrade leaves nothing half-written, and the same command goes on', () => {
  const cuts = everyCut((changes) => {
    node.remove();
    node = fakeNode();
    now = node.activated(old.bytes, old.rootHash);
    kubernetesRuns(node.root);
    node.adopted(now);
    const args = ['upgrade', '--to', inFolder('v1.34.1+k3s1')];
    const { through, wasCut } = cutAfter(node, changes);
    node.run(args, through);
    nothingHalfWritten(node);
    if (!wasCut()) return false;
    const begun = node.records().wanted;
    const calls: string[] = [];
    expect(node.run(args, withoutProcesses(node, calls)).code, `again after ${changes} changes`).toBe(0);
    nothingHalfWritten(node);
    expect(node.records().wanted).toBe(begun ?? 2);
    expect(calls.at(-1)).toBe('systemctl reboot');
    return true;
  });
  expect(cuts).toBeGreaterThan(30);
}, 180_000);
