import { chmod, lstat, readFile, readlink, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/support/files.ts';
import { VERSION } from '../../src/support/version.ts';
import { buildTree, MANIFEST_PATH, type Tree, type TreeEntry, treeDigest } from '../../src/tree/index.ts';
import { walk } from '../../src/tree/walk.ts';
import { elf } from './elf-builder.ts';
import { K0S_UPPER, K3S_UPPER, lay, requestFor, type Shape, scratch } from './fixtures.ts';

let folder: string;
beforeEach(async () => {
  folder = await scratch();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const entryAt = (tree: Tree, path: string): TreeEntry | undefined =>
  tree.entries.find((entry) => entry.path === path);
const build = async (upper: Shape, changes = {}) => buildTree(await requestFor(folder, upper, changes));
const text = (tree: Tree, path: string) => readFile(join(tree.root, path), 'utf8');

/** Paths of the shape that the tree does not speak of. */
function lost(upper: Shape, tree: Tree): string[] {
  const spoken = new Set(tree.entries.flatMap((entry) => [entry.path, ...(entry.from ? [entry.from] : [])]));
  return Object.keys(upper).filter((path) => !spoken.has(path));
}

describe('a tree of what the k3s hook wrote', () => {
  it('loses nothing', async () => {
    expect(lost(K3S_UPPER, await build(K3S_UPPER))).toEqual([]);
  });

  it('delivers the programs as they are, scripts and links too', async () => {
    const tree = await build(K3S_UPPER);
    for (const name of ['k3s', 'k3s-killall.sh', 'k3s-uninstall.sh', 'k3s-agent-uninstall.sh']) {
      expect(entryAt(tree, `/usr/bin/${name}`)).toMatchObject({
        disposition: 'delivered',
        mode: 0o755,
        component: 'hook',
      });
    }
    expect(await readlink(join(tree.root, 'usr/bin/kubectl'))).toBe('k3s');
  });

  it('moves both units and lays their environment files down with the mode they had', async () => {
    const tree = await build(K3S_UPPER);
    for (const name of ['k3s', 'k3s-agent']) {
      expect(entryAt(tree, `/usr/lib/systemd/system/${name}.service`)).toMatchObject({
        disposition: 'relocated',
        from: `/etc/systemd/system/${name}.service`,
      });
      expect(entryAt(tree, `/usr/share/factory/etc/systemd/system/${name}.service.env`)).toMatchObject({
        disposition: 'factory',
        from: `/etc/systemd/system/${name}.service.env`,
        mode: 0o600,
        size: 0,
      });
    }
    expect((await text(tree, 'usr/lib/tmpfiles.d/provider-kairos.conf')).split('\n').slice(1)).toEqual([
      'C /etc/systemd/system/k3s-agent.service.env 0600 root root - -',
      'C /etc/systemd/system/k3s.service.env 0600 root root - -',
      '',
    ]);
  });

  it('holds exactly what its entries say, file by file', async () => {
    const tree = await build(K3S_UPPER);
    const { nodes } = await walk(tree.root);
    expect(nodes.map(({ path, kind, mode, size }) => ({ path, kind, mode, size }))).toEqual(
      tree.entries
        .filter(({ disposition }) => disposition !== 'dropped')
        .map(({ path, kind, mode, size }) => ({ path, kind, mode, size })),
    );
  });

  it('carries the provider, edgevpn and the files by which it activates itself', async () => {
    const tree = await build(K3S_UPPER);
    expect(entryAt(tree, '/usr/local/bin/agent-provider-kairos')?.component).toBe('provider-kairos');
    expect(entryAt(tree, '/usr/bin/edgevpn')?.component).toBe('provider-kairos');
    expect(await text(tree, 'usr/lib/systemd/system/kairos-agent.service.d/10-sextant.conf')).toContain(
      '\nExecStartPre=-/usr/lib/sextant/activate\n',
    );
    expect(entryAt(tree, '/usr/lib/sextant/activate')).toMatchObject({ mode: 0o755, disposition: 'added' });
    expect(entryAt(tree, '/usr/share/sextant/cloud-config.d')).toMatchObject({ kind: 'folder', mode: 0o755 });
    expect(await text(tree, 'usr/lib/extension-release.d/extension-release.provider-kairos')).toMatch(
      /^ID=_any\nARCHITECTURE=(x86-64|arm64)\nEXTENSION_RELOAD_MANAGER=1\n/,
    );
    expect(tree.warnings).toEqual([]);
  });

  it('carries sextant-node, as the release made it, whatever the mode of that file', async () => {
    const request = await requestFor(folder, K3S_UPPER);
    const { file } = request.nodeProgram;
    await chmod(file, 0o700);
    const tree = await buildTree(request);
    expect(entryAt(tree, '/usr/lib/sextant/sextant-node')).toMatchObject({
      kind: 'file',
      mode: 0o755,
      disposition: 'added',
      component: 'sextant-node',
      sha256: sha256(await readFile(file)),
    });
    const carried = join(tree.root, 'usr/lib/sextant/sextant-node');
    expect(await readFile(carried)).toEqual(await readFile(file));
    expect((await stat(carried)).mode & 0o7777).toBe(0o755);
    expect((await stat(file)).mode & 0o7777).toBe(0o700); // The cache's file is not touched.
    const { components } = JSON.parse(await text(tree, MANIFEST_PATH));
    expect(components).toContainEqual(
      expect.objectContaining({ name: 'sextant-node', version: VERSION, files: 2 }),
    );
    expect(await text(tree, 'usr/share/sextant/sextant-node.licenses')).toBe('MIT\n');
  });

  it('describes itself in its manifest, all but the manifest', async () => {
    const tree = await build(K3S_UPPER);
    const manifest = JSON.parse(await text(tree, MANIFEST_PATH));
    expect(manifest).toMatchObject({ schemaVersion: 1, name: 'provider-kairos', version: 'v1.36.3+k3s1' });
    expect(manifest.plugin).toBe('/usr/local/bin/agent-provider-kairos');
    expect(manifest.components).toContainEqual(
      expect.objectContaining({ name: 'provider-kairos', version: '2.16.4', files: 2 }),
    );
    const carried = (entries: TreeEntry[]) => entries.filter(({ disposition }) => disposition !== 'dropped');
    expect(carried(manifest.entries)).toEqual(
      carried([...tree.entries]).filter(({ path }) => path !== MANIFEST_PATH),
    );
    expect(manifest.entries).toContainEqual(
      expect.objectContaining({ path: '/tmp', disposition: 'dropped', from: 'temporary files' }),
    );
  });

  it('is the same twice, whatever the umask, the folder and the names of temporary files', async () => {
    const first = await build(K3S_UPPER);
    const { '/tmp/k3s-install.Xa82kd': scratchFolder, ...rest } = K3S_UPPER;
    const other = await scratch();
    const umask = process.umask(0o077);
    try {
      const upper = { ...rest, '/tmp/k3s-install.0dR4Lw': scratchFolder ?? { folder: true } } as Shape;
      const second = await buildTree(await requestFor(other, upper));
      expect(treeDigest(second.entries)).toBe(treeDigest(first.entries));
      expect(await text(second, MANIFEST_PATH)).toBe(await text(first, MANIFEST_PATH));
    } finally {
      process.umask(umask);
      await rm(other, { recursive: true, force: true });
    }
  });

  it('never changes what it was made of', async () => {
    const request = await requestFor(folder, K3S_UPPER);
    const before = await walk(request.upper);
    const tree = await buildTree(request);
    expect(await walk(request.upper)).toEqual(before);
    // The unit of k0s has another mode in the tree than in the upper layer, so it cannot be the same inode.
    const program = await lstat(join(tree.root, 'usr/bin/k3s'));
    expect(program.ino).toBe((await lstat(join(request.upper, 'usr/bin/k3s'))).ino);
  });
});

describe('a tree of what the k0s hook wrote', () => {
  it('loses nothing and makes the private units readable', async () => {
    const tree = await build(K0S_UPPER);
    expect(lost(K0S_UPPER, tree)).toEqual([]);
    expect(entryAt(tree, '/usr/lib/systemd/system/k0sworker.service')?.mode).toBe(0o644);
    expect((await lstat(join(folder, 'upper/etc/systemd/system/k0sworker.service'))).mode & 0o777).toBe(
      0o600,
    );
  });

  it('does not touch /usr/local/bin for the sake of an empty folder', async () => {
    const request = await requestFor(folder, K0S_UPPER);
    const tree = await buildTree({
      ...request,
      components: request.components.map((component) => ({
        ...component,
        files: [{ from: 'agent-provider-kairos', to: '/usr/bin/agent-provider-kairos' }],
      })),
    });
    expect(entryAt(tree, '/usr/local/bin')).toMatchObject({ disposition: 'dropped' });
    await expect(lstat(join(tree.root, 'usr/local'))).rejects.toThrow('ENOENT');
  });
});

describe('enablement', () => {
  const service = '[Service]\nExecStart=/usr/bin/k3s server\n';
  const once = '[Service]\nType=oneshot\nExecStart=/usr/bin/k3s check-config\n';

  it('becomes Upholds= of what wanted it, so that a merge starts the unit', async () => {
    const tree = await build({
      ...K3S_UPPER,
      '/etc/systemd/system/a.service': { file: service },
      '/etc/systemd/system/multi-user.target.wants/a.service': { link: '/etc/systemd/system/a.service' },
      '/etc/systemd/system/k3s.service.requires/a.service': { link: '../a.service' },
    });
    const dropIn = 'usr/lib/systemd/system/multi-user.target.d/10-provider-kairos-a.service.conf';
    expect(await text(tree, dropIn)).toMatch(/\[Unit\]\nUpholds=a\.service\n$/);
    expect(entryAt(tree, `/${dropIn}`)).toMatchObject({
      disposition: 'relocated',
      from: '/etc/systemd/system/multi-user.target.wants/a.service',
      component: 'hook',
    });
    expect(
      await text(tree, 'usr/lib/systemd/system/k3s.service.d/10-provider-kairos-a.service.conf'),
    ).toMatch(/\[Unit\]\nRequires=a\.service\nUpholds=a\.service\n$/);
    expect(await text(tree, 'usr/lib/sextant/activate')).toContain("'multi-user.target' 'a.service'");
  });

  it('does not uphold a service that ends by itself', async () => {
    const tree = await build({
      ...K3S_UPPER,
      '/usr/lib/systemd/system/once.service': { file: once },
      '/usr/lib/systemd/system/multi-user.target.wants/once.service': { link: '../once.service' },
    });
    expect(
      await text(tree, 'usr/lib/systemd/system/multi-user.target.d/10-provider-kairos-once.service.conf'),
    ).toMatch(/\[Unit\]\nWants=once\.service\n$/);
  });

  it('warns of a unit that nobody carries', async () => {
    const tree = await build({
      ...K3S_UPPER,
      '/etc/systemd/system/multi-user.target.wants/absent.service': { link: '../absent.service' },
    });
    expect(tree.warnings).toEqual([
      '/etc/systemd/system/multi-user.target.wants/absent.service enables absent.service, which the extension does not carry',
    ]);
  });
});

describe('moved things', () => {
  it('are still what links to them mean', async () => {
    const tree = await build({
      ...K3S_UPPER,
      '/etc/systemd/system/kubernetes.service': { link: '/etc/systemd/system/k3s.service' },
      '/etc/systemd/system/kube.service': { link: 'k3s.service' },
      '/usr/share/k3s/unit': { link: '/etc/systemd/system/k3s.service' },
      '/etc/rancher/tool': { link: '../../usr/bin/k3s' },
    });
    const units = 'usr/lib/systemd/system';
    expect(await readlink(join(tree.root, units, 'kubernetes.service'))).toBe(`/${units}/k3s.service`);
    expect(await readlink(join(tree.root, units, 'kube.service'))).toBe('k3s.service');
    expect(await readlink(join(tree.root, 'usr/share/k3s/unit'))).toBe(`/${units}/k3s.service`);
    expect(await readlink(join(tree.root, 'usr/share/factory/etc/rancher/tool'))).toBe('../../usr/bin/k3s');
    expect(tree.warnings).toEqual([]);
  });

  it('leave a warning where a link points to what nobody carries', async () => {
    const tree = await build({ ...K3S_UPPER, '/usr/bin/editor': { link: '/etc/alternatives/editor' } });
    expect(tree.warnings).toEqual([
      '/usr/bin/editor links to /etc/alternatives/editor, which the extension does not carry',
    ]);
  });

  it('are made by tmpfiles.d where they are empty folders', async () => {
    const tree = await build({
      ...K3S_UPPER,
      '/var/lib/k0s': { folder: true },
      '/opt/cni/bin': { folder: true },
    });
    const lines = await text(tree, 'usr/lib/tmpfiles.d/provider-kairos.conf');
    expect(lines).toContain('\nd /opt/cni/bin - root root - -\n');
    expect(lines).toContain('\nd /var/lib/k0s - root root - -\n');
  });
});

describe('the sandbox of the build', () => {
  it("leaves no proxy of its own in a service's environment file", async () => {
    const env = "K3S_X='1'\nHTTPS_PROXY='http://127.0.0.1:34567'\nNO_PROXY='localhost'\n";
    const tree = await build({
      ...K3S_UPPER,
      '/etc/systemd/system/k3s.service.env': { file: env, mode: 0o600 },
    });
    const path = 'usr/share/factory/etc/systemd/system/k3s.service.env';
    expect(await text(tree, path)).toBe("K3S_X='1'\n");
    expect(tree.warnings).toEqual([
      "/etc/systemd/system/k3s.service.env: left out HTTPS_PROXY, NO_PROXY, the proxy of the build's sandbox",
    ]);
  });

  it('does not take away a proxy that the nodes are meant to use', async () => {
    const env = "HTTPS_PROXY='http://proxy.example.net:3128'\nNO_PROXY='localhost,127.0.0.1'\n";
    const tree = await build({
      ...K3S_UPPER,
      '/etc/systemd/system/k3s.service.env': { file: env, mode: 0o600 },
    });
    expect(await text(tree, 'usr/share/factory/etc/systemd/system/k3s.service.env')).toBe(env);
  });
});

describe('programs', () => {
  const library = 'libdoesnotexist.so.7';

  it('that need a library nobody has are named in a warning', async () => {
    const file = elf({ ...host(), needed: ['libc.so.6', 'libseccomp.so.2', library] });
    const tree = await build({ ...K3S_UPPER, '/usr/sbin/runc': { file, mode: 0o755 } });
    expect(tree.warnings).toEqual([
      `the library ${library} is neither in the extension nor in a core image; needed by /usr/sbin/runc`,
    ]);
  });

  it('may bring their libraries, where the dynamic linker looks', async () => {
    const needing = (runpath?: string) =>
      elf({ ...host(), needed: [library], ...(runpath ? { runpath } : {}) });
    const tree = await build({
      ...K3S_UPPER,
      [`/usr/lib/tool/${library}`]: { file: elf(host()), mode: 0o755 },
      '/usr/bin/finds': { file: needing('$ORIGIN/../lib/tool'), mode: 0o755 },
      '/usr/bin/misses': { file: needing(), mode: 0o755 },
    });
    expect(tree.warnings).toEqual([
      `the library ${library} (carried as /usr/lib/tool/${library}, where the dynamic linker does not look) is neither in the extension nor in a core image; needed by /usr/bin/misses`,
    ]);
  });

  it('whose interpreter no core image is sure to have are named in a warning', async () => {
    const tree = await build({
      ...K3S_UPPER,
      '/usr/bin/tool': { file: '#!/usr/bin/env python3\n', mode: 0o755 },
      '/usr/bin/fine': { file: '#!/usr/bin/env bash\n', mode: 0o755 },
    });
    expect(tree.warnings).toEqual([
      'the interpreter python3 is neither in the extension nor in a core image; needed by /usr/bin/tool',
    ]);
  });

  const host = () => ({ architecture: process.arch === 'arm64' ? ('arm64' as const) : ('amd64' as const) });
});

describe('cloud-config that a component puts into the extension', () => {
  it('is carried, and warned of where it would do nothing', async () => {
    const request = await requestFor(folder, K3S_UPPER);
    const config = await lay(join(folder, 'config'), {
      '/good.yaml': { file: '#cloud-config\nstages:\n  sextant:\n    - commands: [echo hello]\n' },
      '/late.yaml': { file: '#cloud-config\nstages:\n  network:\n    - commands: [echo hello]\n' },
      '/broken.yaml': { file: 'a: [' },
    });
    const files = [{ from: '**', to: '/usr/share/sextant/cloud-config.d' }];
    const tree = await buildTree({
      ...request,
      components: [...request.components, { component: 'config', folder: config, files }],
    });
    expect(entryAt(tree, '/usr/share/sextant/cloud-config.d/good.yaml')?.component).toBe('config');
    expect(tree.warnings).toHaveLength(2);
    expect(tree.warnings.join('\n')).toMatch(
      /broken\.yaml: not YAML[\s\S]*late\.yaml: it has no stage "sextant"/,
    );
  });
});
