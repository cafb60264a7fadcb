import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, sign } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { compileModule } from '../../../src/release/node-program/index.ts';
import { makeSigner } from '../../image/fixture.ts';
import { toolsRoot } from '../../tools-root.ts';
import { catalogText, listed } from '../catalog/example.ts';
import { bundled, compilingContext, thisMachine } from '../compiled.ts';
import { releaseText } from '../download/example.ts';
import { place } from '../rooted.ts';
import { type FakeNode, fakeNode, kubernetesRuns } from './fake-node.ts';
import { realImages } from './images.ts';

// The program as a node runs it, in a root of Debian whose folders are those of a fake node; needs root.
const FOLDERS = [
  'opt',
  'var/lib',
  'run',
  'oem',
  'etc/rancher',
  'etc/sextant',
  'usr/lib/extension-release.d',
  'usr/lib/sextant',
];
let node: FakeNode;

beforeAll(async () => {
  const text = await bundled('src/node/main.ts');
  const program = await compileModule(compilingContext(), thisMachine, thisMachine, {
    name: 'main.js',
    text,
  });
  const [old, fresh] = await realImages();
  node = fakeNode();
  node.adopted(node.activated(old.bytes, old.rootHash));
  kubernetesRuns(node.root);
  place(
    node.root,
    '/opt/release/release.json',
    releaseText(fresh.bytes, { version: 'v1.34.1+k3s1', rootHash: fresh.rootHash }),
  );
  place(node.root, '/opt/release/image.sysext.raw', fresh.bytes);
  copyFileSync(program, `${node.root}/opt/program`);
  for (const folder of FOLDERS) mkdirSync(`${toolsRoot}/${folder}`, { recursive: true });
  execFileSync('chmod', ['755', `${node.root}/opt/program`]);
});
afterAll(() => node.remove());

function run(...args: string[]) {
  const binds = FOLDERS.filter((folder) => folder !== 'etc/rancher').map(
    (folder) =>
      `mkdir -p ${node.root}/${folder} && mount --bind ${node.root}/${folder} ${toolsRoot}/${folder}`,
  );
  const script = [
    ...binds,
    `mount --bind /proc ${toolsRoot}/proc`,
    `exec chroot ${toolsRoot} /opt/program "$@"`,
  ];
  const result = spawnSync('unshare', ['--mount', 'sh', '-c', script.join(' && '), 'sh', ...args], {
    encoding: 'utf8',
  });
  return { code: result.status, out: result.stdout, err: result.stderr };
}

test('status, history and explain say under QuickJS what they say under Node.js', () => {
  const { code, out, err } = run('status', '--json');
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ running: { id: 1, state: 'good', kubernetes: 'v1.33.4+k3s1' } });
  expect(run('status').out).toContain('Generation 1 runs: Kubernetes v1.33.4+k3s1');
  expect(run('history').code).toBe(0);
  expect(run('explain', '1').out).toContain('Generation 1 (Kubernetes v1.33.4+k3s1');
});

test('an upgrade is planned, with its note, and refused for its reasons', () => {
  const { code, out, err } = run('upgrade', '--to', '/opt/release', '--dry-run');
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(out).toContain('NOTE: 1.34 is another minor version');
  expect(run('upgrade', '--to', 'oci://r.example.org/x')).toMatchObject({ code: 2 });
  place(node.root, '/opt/skipping/release.json', releaseText(Buffer.from('x'), { version: 'v1.35.0+k3s1' }));
  const skipping = run('upgrade', '--to', '/opt/skipping');
  expect(skipping).toMatchObject({ code: 8, err: expect.stringContaining('skips a minor version') });
  expect(run('pin', '1')).toMatchObject({ code: 0 });
  expect(run('unpin', '1')).toMatchObject({ code: 0 });
  expect(run('gc')).toMatchObject({ code: 0 });
});

test("a catalog is believed for its signature by the node's own openssl, and an older one is not", () => {
  const there = mkdtempSync(join(tmpdir(), 'sextant-keys-'));
  onTestFinished(() => rmSync(there, { recursive: true, force: true }));
  const { key, certificate } = makeSigner(there, 'catalog');
  const serve = (serial: number, signed = serial) => {
    const text = (number: number) => catalogText(number, [listed('v1.33.4+k3s1'), listed('v1.35.0+k3s1')]);
    place(node.root, '/opt/catalog/sextant-catalog.json', text(serial));
    const signature = sign('sha256', Buffer.from(text(signed)), createPrivateKey(readFileSync(key)));
    place(node.root, '/opt/catalog/sextant-catalog.json.sig', signature);
  };
  const settings = { catalog: { address: '/opt/catalog', trust: readFileSync(certificate, 'utf8') } };
  place(node.root, '/etc/sextant/settings.json', JSON.stringify(settings));
  serve(7);
  const { code, out, err } = run('upgrade');
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(out.replaceAll(/\s+/g, ' ')).toContain(
    'has serial 7, signed by a key this node trusts. Nothing newer than',
  );
  expect(out.replaceAll(/\s+/g, ' ')).toContain('passed over v1.35.0+k3s1: from Kubernetes v1.33.4+k3s1');
  serve(6);
  expect(run('upgrade')).toMatchObject({ code: 4, err: expect.stringContaining('it is an old catalog') });
  serve(8, 7);
  expect(run('upgrade')).toMatchObject({
    code: 4,
    err: expect.stringContaining('is signed by none of the keys'),
  });
});
