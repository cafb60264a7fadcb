import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SextantError } from '../../src/support/errors.ts';
import { buildTree, type TreeRequest } from '../../src/tree/index.ts';
import { elf } from './elf-builder.ts';
import { K3S_UPPER, lay, requestFor, type Shape, scratch } from './fixtures.ts';

let folder: string;
beforeEach(async () => {
  folder = await scratch();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The error of a build, which must be a person's to mend and must leave nothing behind. */
async function refusal(request: TreeRequest): Promise<SextantError> {
  const error = await buildTree(request).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SextantError);
  expect((error as SextantError).code).toBe('input');
  expect((error as SextantError).message).not.toContain('\n');
  expect((error as SextantError).hint).toBeTruthy();
  expect(existsSync(request.output) ? await readdir(request.output) : []).toEqual([]);
  return error as SextantError;
}
const refused = async (more: Shape, changes: Partial<TreeRequest> = {}) =>
  refusal(await requestFor(folder, { ...K3S_UPPER, ...more }, changes));

describe('what no extension can carry', () => {
  it('fails the build with all its paths at once and what to do about each', async () => {
    const error = await refused(
      {
        '/opt/tool/bin': { file: 'x' },
        '/var/lib/rancher/k3s/agent/images/x.tar': { file: 'x' },
        '/usr/libexec/helper': { file: 'x' },
        '/home/kairos/.kube/config': { file: 'x' },
        '/etc/passwd': { file: 'x' },
      },
      { removed: ['/usr/bin/curl', '/tmp/x'] },
    );
    expect(error.message).toBe(
      'the extension cannot carry 6 paths: /etc/passwd, /home/kairos/.kube/config, /opt/tool/bin and 3 more',
    );
    const lines = error.details?.split('\n') ?? [];
    expect(lines).toHaveLength(6);
    expect(lines[0]).toMatch(/^\/etc\/passwd \(hook\): .+; .*sysusers\.d/);
    expect(lines).toContainEqual(expect.stringMatching(/^\/usr\/bin\/curl \(hook\): the hook removed it/));
  });

  it('is named in the message itself when it is one path', async () => {
    const error = await refused({ '/srv/data': { file: 'x' } });
    expect(error.message).toBe('the extension cannot carry /srv/data (hook): not a merged hierarchy');
  });

  it.each([
    [0o4755, 'set-uid'],
    [0o2755, 'set-gid'],
    [0o1644, 'sticky'],
    [0o6755, 'set-uid and set-gid'],
    [0o666, 'anyone may write'],
    [0o777, 'anyone may write'],
  ])('is a file of mode %o', async (mode, word) => {
    const error = await refused({ '/usr/bin/odd': { file: 'x', mode } });
    expect(error.message).toContain('/usr/bin/odd');
    expect(error.message).toContain(word);
  });

  it('is a FIFO', async () => {
    const request = await requestFor(folder, K3S_UPPER);
    execFileSync('mkfifo', [join(request.upper, 'usr/bin/pipe')]);
    expect((await refusal(request)).message).toContain('/usr/bin/pipe (hook): a FIFO');
  });

  it.skipIf(process.getuid?.() !== 0)(
    'is a device node (made by root, so this test runs as root)',
    async () => {
      const request = await requestFor(folder, K3S_UPPER);
      execFileSync('mknod', [join(request.upper, 'usr/bin/null'), 'c', '1', '3']);
      expect((await refusal(request)).message).toContain('/usr/bin/null (hook): a device node');
    },
  );

  it('is a name with a newline, shown on one line', async () => {
    const error = await refused({ '/usr/bin/a\nb': { file: 'x' }, '/usr/bin/c\u001b[31m': { file: 'x' } });
    expect(error.details).toContain('/usr/bin/a\\nb (hook): its name holds a control character');
    expect(error.details).toContain('/usr/bin/c\\u001b[31m');
  });

  it('is a name that is not UTF-8', async () => {
    const request = await requestFor(folder, K3S_UPPER);
    await writeFile(Buffer.concat([Buffer.from(join(request.upper, 'usr/bin/x')), Buffer.from([0xff])]), '');
    expect((await refusal(request)).message).toContain('not UTF-8');
  });

  it('is scratch of any kind left out without a word about its form', async () => {
    const request = await requestFor(folder, K3S_UPPER);
    execFileSync('mkfifo', [join(request.upper, 'tmp/pipe')]);
    await writeFile(join(request.upper, 'tmp/a\nb'), '', { mode: 0o777 });
    const tree = await buildTree(request);
    expect(tree.entries).toContainEqual(
      expect.objectContaining({ path: '/tmp/a\\nb', disposition: 'dropped' }),
    );
  });
});

describe('programs that cannot run on a node', () => {
  it('fail the build, each named with what it is for', async () => {
    const arm = elf({ architecture: 'arm64' });
    const error = await refused(
      { '/usr/bin/one': { file: arm, mode: 0o755 }, '/usr/lib/two.so': { file: elf({ machine: 243 }) } },
      { architecture: 'amd64' },
    );
    expect(error.details).toContain('/usr/bin/one (hook): is for arm64, the extension is for amd64');
    expect(error.details).toContain('/usr/lib/two.so (hook): is for riscv64, the extension is for amd64');
  });

  it('fail the build when they are cut off', async () => {
    const error = await refused({ '/usr/bin/cut': { file: elf().subarray(0, 70), mode: 0o755 } });
    expect(error.message).toContain('/usr/bin/cut (hook): a damaged ELF file');
  });
});

describe('a component', () => {
  const taking = async (shape: Shape, from: string, to = '/usr/bin/taken', mode?: string) => {
    const request = await requestFor(folder, K3S_UPPER);
    const component = {
      component: 'extra',
      folder: await lay(join(folder, 'extra'), shape),
      files: [{ from, to, ...(mode === undefined ? {} : { mode }) }],
    };
    return { ...request, components: [...request.components, component] };
  };

  it('without the wanted file is told what it has, the nearest first', async () => {
    const request = await taking(
      { '/bin/containerd': { file: '' }, '/README': { file: '' } },
      'bin/contanierd',
    );
    const error = await refusal(request);
    expect(error.message).toBe('component extra has no bin/contanierd');
    expect(error.hint).toMatch(/^it holds bin\/containerd/);
  });

  it('cannot give a folder as a file', async () => {
    const error = await refusal(await taking({ '/bin/x': { file: '' } }, 'bin'));
    expect(error.hint).toContain('bin/**');
  });

  it('gives a whole folder, links and all, and files the mode of the recipe', async () => {
    const request = await taking(
      { '/lib/a.so.1': { file: 'x' }, '/lib/a.so': { link: 'a.so.1' }, '/lib/sub/b': { file: 'y' } },
      'lib/**',
      '/usr/lib/extra',
      '0600',
    );
    const tree = await buildTree(request);
    const extra = tree.entries.filter(({ path }) => path.startsWith('/usr/lib/extra'));
    expect(extra.map(({ path, kind, mode }) => [path, kind, mode])).toEqual([
      ['/usr/lib/extra', 'folder', 0o755],
      ['/usr/lib/extra/a.so', 'link', 0o777],
      ['/usr/lib/extra/a.so.1', 'file', 0o600],
      ['/usr/lib/extra/sub', 'folder', 0o755],
      ['/usr/lib/extra/sub/b', 'file', 0o600],
    ]);
  });

  it('that is one file is taken by its name or by "."', async () => {
    expect((await buildTree(await taking({ '/tool-v1': { file: 'x' } }, '.'))).entries).toContainEqual(
      expect.objectContaining({ path: '/usr/bin/taken', component: 'extra' }),
    );
  });

  it("cannot reach out of its folder through a link of the archive's", async () => {
    const error = await refusal(await taking({ '/etc': { link: '/etc' }, '/x': { file: '' } }, 'etc/passwd'));
    expect(error.message).toBe('component extra has no etc/passwd');
  });

  it('that puts something else where the hook put a file is refused, both named', async () => {
    const error = await refusal(await taking({ '/k3s': { file: 'another' } }, 'k3s', '/usr/bin/k3s'));
    expect(error.message).toMatch(/\/usr\/bin\/k3s \(hook and extra\): hook and extra differ in size/);
  });

  it('may bring the very same file that the hook wrote', async () => {
    const k3s = K3S_UPPER['/usr/bin/k3s'] as { file: Uint8Array; mode: number };
    const tree = await buildTree(await taking({ '/k3s': k3s }, 'k3s', '/usr/bin/k3s'));
    expect(tree.entries.find(({ path }) => path === '/usr/bin/k3s')?.component).toBe('hook');
  });

  it('cannot put a file below what is a link or a file', async () => {
    const error = await refusal(await taking({ '/x': { file: '' } }, 'x', '/usr/bin/kubectl/x'));
    expect(error.message).toContain('lies below /usr/bin/kubectl, which is a link of hook');
  });
});

describe('the provider plug-in', () => {
  it('must be there', async () => {
    const error = await refused({}, { plugin: 'agent-provider-other' });
    expect(error.message).toBe('the extension has no provider plug-in named agent-provider-other');
  });

  it('must be one of its name', async () => {
    const error = await refused({ '/usr/bin/agent-provider-kairos': { file: '#!/bin/sh\n', mode: 0o755 } });
    expect(error.message).toContain('different plug-ins of one name');
  });
});

describe('the output', () => {
  it('must be empty, and what is there stays', async () => {
    const request = await requestFor(folder, K3S_UPPER);
    await mkdir(request.output);
    await writeFile(join(request.output, 'mine'), '');
    await expect(buildTree(request)).rejects.toMatchObject({ code: 'filesystem' });
    expect(await readdir(request.output)).toEqual(['mine']);
  });

  it('is gone after an interruption', async () => {
    const request = await requestFor(folder, K3S_UPPER, { signal: AbortSignal.abort() });
    await expect(buildTree(request)).rejects.toThrow();
    expect(existsSync(request.output)).toBe(false);
  });
});
