import { lstat, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheFolder } from '../../src/support/context.ts';
import { run } from '../../src/support/subprocess.ts';
import { buildTree, containerImagesFolder, type Tree } from '../../src/tree/index.ts';
import { K0S_UPPER, K3S_UPPER, lay, requestFor, type Shape, scratch } from './fixtures.ts';
import { inMergedRoot } from './merged-root.ts';

let folder: string;
beforeEach(async () => {
  folder = await scratch();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The unit that Kairos writes at boot. */
const KAIROS_AGENT = `[Unit]
Description=kairos agent
After=cos-setup-network.service
Wants=network.target
[Service]
Restart=on-failure
RestartSec=5s
ExecStart=/usr/bin/kairos-agent start
[Install]
WantedBy=multi-user.target
`;
const NODE: Shape = {
  '/etc/systemd/system/kairos-agent.service': { file: KAIROS_AGENT },
  '/usr/bin/kairos-agent': { file: '#!/bin/sh\n', mode: 0o755 },
};
const ENABLED: Shape = {
  ...K3S_UPPER,
  '/etc/systemd/system/once.service': {
    file: '[Service]\nType=oneshot\nExecStart=/usr/bin/k3s check-config\n',
  },
  '/etc/systemd/system/multi-user.target.wants/once.service': { link: '../once.service' },
  '/etc/systemd/system/multi-user.target.wants/k3s.service': { link: '../k3s.service' },
  '/etc/systemd/system/multi-user.target.requires/k3s-agent.service': { link: '../k3s-agent.service' },
};

const unitsOf = (tree: Tree) =>
  tree.entries
    .filter(({ path }) => /^\/usr\/lib\/systemd\/system\/[^/]+\.service$/.test(path))
    .map(({ path }) => path.slice(path.lastIndexOf('/') + 1));

describe('systemd-analyze verify', () => {
  it.each([
    ['k3s', K3S_UPPER],
    ['k0s', K0S_UPPER],
    ['units enabled in every way', ENABLED],
  ])('finds nothing wrong with %s on a merged system', async (_name, upper) => {
    const tree = await buildTree(await requestFor(folder, upper));
    const units = [...unitsOf(tree), 'kairos-agent.service', 'multi-user.target'];
    const judged = await inMergedRoot(folder, tree.root, NODE, [
      'systemd-analyze',
      'verify',
      '--man=no',
      ...units,
    ]);
    const ours = judged.stderr
      .toString()
      .split('\n')
      .filter((line) => /k3s|k0s|once|sextant|kairos-agent|provider-kairos/.test(line))
      // k0s' own unit has these two in the section of older systemd versions, which is still read.
      .filter((line) => !/k0s.*StartLimit/.test(line));
    expect(ours).toEqual([]);
  });

  it('would find a mistake', async () => {
    const upper: Shape = {
      ...K3S_UPPER,
      '/etc/systemd/system/bad.service': { file: '[Service]\nExecStart=/usr/bin/absent\nNoSuchKey=1\n' },
    };
    const tree = await buildTree(await requestFor(folder, upper));
    const judged = await inMergedRoot(folder, tree.root, NODE, [
      'systemd-analyze',
      'verify',
      '--man=no',
      'bad.service',
    ]);
    expect(judged.stderr.toString()).toMatch(/bad\.service.*NoSuchKey|NoSuchKey.*bad\.service/s);
  });
});

describe('systemd-tmpfiles', () => {
  it('lays down what no extension can deliver, and leaves alone what the node has', async () => {
    const upper: Shape = {
      ...K3S_UPPER,
      '/etc/systemd/system/k3s.service.env': { file: "K3S_X='1'\n", mode: 0o600 },
      '/etc/rancher/k3s/config.yaml': { file: 'from: extension\n' },
      '/etc/with space/100%.conf': { file: 'odd\n', mode: 0o640 },
      '/etc/rancher/link': { link: 'k3s/config.yaml' },
      '/var/lib/k0s': { folder: true },
    };
    const tree = await buildTree(await requestFor(folder, upper));
    const node = { '/etc/rancher/k3s/config.yaml': { file: 'from: node\n' } };
    const create = ['systemd-tmpfiles', '--create', 'provider-kairos.conf'];
    const judged = await inMergedRoot(folder, tree.root, node, create);
    expect(judged.stderr.toString()).toBe('');
    const on = (path: string) => join(judged.written, path);
    expect(await readFile(on('etc/rancher/k3s/config.yaml'), 'utf8')).toBe('from: node\n');
    expect(await readFile(on('etc/systemd/system/k3s.service.env'), 'utf8')).toBe("K3S_X='1'\n");
    expect((await lstat(on('etc/systemd/system/k3s.service.env'))).mode & 0o777).toBe(0o600);
    expect(await readFile(on('etc/with space/100%.conf'), 'utf8')).toBe('odd\n');
    expect((await lstat(on('etc/with space/100%.conf'))).mode & 0o777).toBe(0o640);
    expect(await readlink(on('etc/rancher/link'))).toBe('k3s/config.yaml');
    expect((await lstat(on('var/lib/k0s'))).mode & 0o777).toBe(0o755);
  });

  it('links archives of container images where k3s reads them, and leaves alone what someone put there', async () => {
    const images = '/var/lib/rancher/k3s/agent/images';
    const carried = containerImagesFolder('provider-kairos');
    const request = await requestFor(folder, K3S_UPPER, { imagesOnNode: images });
    const archives = await lay(join(folder, 'images'), {
      '/a.tar.zst': { file: 'carried' },
      '/b.tar': { file: 'carried' },
    });
    const component = { component: 'images', folder: archives, files: [{ from: '**', to: carried }] };
    const tree = await buildTree({ ...request, components: [...request.components, component] });
    const node = { [`${images}/b.tar`]: { file: 'of the node' } };
    const create = ['systemd-tmpfiles', '--create', 'provider-kairos.conf'];
    const judged = await inMergedRoot(folder, tree.root, node, create);
    expect(judged.stderr.toString()).toBe('');
    expect(await readlink(join(judged.written, images, 'a.tar.zst'))).toBe(`${carried}/a.tar.zst`);
    expect(await readFile(join(judged.written, images, 'b.tar'), 'utf8')).toBe('of the node');
  });
});

describe('shellcheck', () => {
  it('has nothing to say about the activation script', async () => {
    const upper: Shape = { ...ENABLED, '/etc/sysctl.d/9.conf': { file: 'net.ipv4.ip_forward=1\n' } };
    const tree = await buildTree(await requestFor(folder, upper));
    const script = join(tree.root, 'usr/lib/sextant/activate');
    await run('shellcheck', ['--shell=sh', script], { missingHint: 'apt-get install shellcheck' });
  });
});

describe('the real kairos-agent', () => {
  it('runs the stage of the extension once when the extension activates itself, and no stage of the node', async () => {
    const request = await requestFor(folder, K3S_UPPER);
    const writes = (stage: string) =>
      `#cloud-config\nstages:\n  ${stage}:\n    - commands: [echo ${stage} >> /ran]\n`;
    const config = await lay(join(folder, 'config'), { '/10-x.yaml': { file: writes('sextant') } });
    const files = [{ from: '**', to: '/usr/share/sextant/cloud-config.d' }];
    const tree = await buildTree({
      ...request,
      components: [...request.components, { component: 'config', folder: config, files }],
    });
    const agent = await readFile(join(cacheFolder(), 'judges/go/bin/kairos-agent'));
    const node: Shape = {
      '/usr/bin/kairos-agent': { file: agent, mode: 0o755 },
      '/oem/90-node.yaml': { file: writes('network') },
    };
    const twice = ['sh', '-c', '/usr/lib/sextant/activate && /usr/lib/sextant/activate'];
    const judged = await inMergedRoot(folder, tree.root, node, twice);
    expect(judged).toMatchObject({ code: 0 });
    expect(judged.stderr.toString()).toBe('');
    expect(await readFile(join(judged.written, 'ran'), 'utf8')).toBe('sextant\n');
    const providers = join(judged.written, 'usr/local/system/providers');
    expect(await readdir(providers)).toEqual(['agent-provider-kairos']);
    expect(await readlink(join(providers, 'agent-provider-kairos'))).toBe(
      '/usr/local/bin/agent-provider-kairos',
    );
    // The factory copies are there before anything is started.
    expect((await lstat(join(judged.written, 'etc/systemd/system/k3s.service.env'))).mode & 0o777).toBe(
      0o600,
    );
  });
});
