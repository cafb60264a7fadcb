import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileModule } from '../../../src/release/node-program/index.ts';
import { toolsRoot } from '../../tools-root.ts';
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
