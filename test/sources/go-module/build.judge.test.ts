import { execFileSync } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LockedComponent } from '../../../src/lock/types.ts';
import { component, type SourceOf } from '../../../src/recipe/schema.ts';
import { goModule, hostGo } from '../../../src/sources/go-module/index.ts';
import type { SourceContext } from '../../../src/sources/types.ts';
import {
  ARCHITECTURE_NAMES,
  type Architecture,
  hostArchitecture,
} from '../../../src/support/architecture.ts';
import { contextFor, errorOf } from '../context.ts';
import { fakeProxy } from './fake-proxy.ts';

// Needs a Go toolchain. Programs use no standard library, so that each build takes a second.

const goMod = (path: string, ...lines: string[]) => `module ${path}\n\ngo 1.21\n\n${lines.join('\n')}\n`;
const app = (replace: string) => ({
  path: 'example.org/App',
  version: 'v1.2.3',
  files: {
    'go.mod': goMod(
      'example.org/App',
      'require (\n\texample.org/greet v1.0.0\n\texample.org/unused v1.0.0\n\texample.org/lib v0.0.0\n)',
      replace,
    ),
    'main.go': `package main

import (
	"example.org/greet"
	"example.org/lib"
)

var version = "none"

func main() { println(version, greet.Text, lib.Text) }
`,
  },
});
const module = (path: string, version: string, name: string, text: string) => ({
  path,
  version,
  files: { 'go.mod': goMod(path), [`${name}.go`]: `package ${name}\n\nconst Text = "${text}"\n` },
});

let folder: string;
let cache: string;
let proxy: Awaited<ReturnType<typeof fakeProxy>>;
let go: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-go-'));
  cache = join(folder, 'cache');
  go = await hostGo(context());
  proxy = await fakeProxy();
  proxy.publish(app('replace example.org/lib => ./staging/src/example.org/lib'));
  proxy.publish(module('example.org/greet', 'v1.0.0', 'greet', 'hello'));
  proxy.publish(module('example.org/unused', 'v1.0.0', 'unused', 'never'));
  proxy.publish(module('example.org/lib', 'v0.9.0', 'lib', 'published'));
  proxy.publish(module('example.org/extra', 'v1.1.0', 'extra', 'extra'));
  vi.stubEnv('GOPROXY', proxy.server.url);
  vi.stubEnv('GOSUMDB', 'off');
  // None of these may reach a build.
  vi.stubEnv('GOFLAGS', '-tags=broken');
  vi.stubEnv('GOARCH', 'riscv64');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await proxy.server.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  vi.stubEnv('GOPROXY', proxy.server.url);
});

function context(
  options: { frozen?: boolean; cache?: string; recipeFolder?: string; go?: string } = {},
): SourceContext {
  const made = contextFor(options.cache ?? cache, {
    frozen: options.frozen ?? false,
    recipeFolder: options.recipeFolder ?? folder,
  });
  return { ...made, go: options.go ?? go };
}

const host = hostArchitecture() as Architecture;
const wanted = (source: object = {}) =>
  component.parse({
    name: 'app',
    source: {
      type: 'go-module',
      binary: 'app',
      ldflags: ['-s', '-w', '-X main.version={version}'],
      ...('directory' in source ? {} : { module: 'example.org/App', version: 'v1.2.3' }),
      replace: [{ from: 'example.org/l*', version: 'v0.9.0' }],
      ...source,
    },
  });
const lock = (of: ReturnType<typeof wanted>, using = context(), architecture = host) =>
  goModule.resolve(of, of.source as SourceOf<'go-module'>, architecture, using);
const build = (
  of: ReturnType<typeof wanted>,
  locked: LockedComponent,
  using = context({ frozen: true }),
  architecture = host,
) => goModule.materialize(of, of.source as SourceOf<'go-module'>, locked, architecture, using);
const said = (file: string) => {
  // println() writes to stderr.
  return execFileSync('sh', ['-c', '"$0" 2>&1', file], { encoding: 'utf8' });
};
const write = async (files: Record<string, string>, below: string) => {
  for (const [name, body] of Object.entries(files)) {
    await mkdir(dirname(join(below, name)), { recursive: true });
    await writeFile(join(below, name), body);
  }
  return below;
};

describe('a Go module', () => {
  it('is locked as the files that its build reads, and no others', async () => {
    const locked = await lock(wanted());
    expect(locked).toMatchObject({ name: 'app', type: 'go-module', version: 'v1.2.3' });
    expect(locked.inputs.map(({ url }) => url)).toEqual([
      'go:example.org/App@v1.2.3.mod',
      'go:example.org/App@v1.2.3.zip',
      'go:example.org/greet@v1.0.0.mod',
      'go:example.org/greet@v1.0.0.zip',
      'go:example.org/lib@v0.9.0.mod',
      'go:example.org/lib@v0.9.0.zip',
    ]);
    expect(await lock(wanted())).toEqual(locked);
  });

  it('is built from the lock without any network, with local replaces rewritten', async () => {
    const locked = await lock(wanted());
    vi.stubEnv('GOPROXY', 'http://127.0.0.1:1');
    const before = proxy.server.requests.length;
    const made = await build(wanted(), locked);
    expect(await readdir(made)).toEqual(['app']);
    expect(said(join(made, 'app'))).toBe('v1.2.3 hello published\n');
    expect((await stat(join(made, 'app'))).mode & 0o7777).toBe(0o755);
    expect(proxy.server.requests.length).toBe(before);
    const { mtimeMs } = await stat(join(made, 'app'));
    expect(await build(wanted(), locked)).toBe(made);
    expect((await stat(join(made, 'app'))).mtimeMs).toBe(mtimeMs);
  });

  it('is built for the other architecture as well', async () => {
    const other = host === 'amd64' ? 'arm64' : 'amd64';
    const locked = await lock(wanted(), context(), other);
    const made = await build(wanted(), locked, context({ frozen: true }), other);
    const head = await readFile(join(made, 'app'));
    expect(head.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
    expect(head.readUInt16LE(18)).toBe(ARCHITECTURE_NAMES[other].elfMachine);
  });

  it('gives the same bytes from another cache, folder and umask', async () => {
    const elsewhere = join(folder, 'a rather different place');
    const before = process.umask(0o077);
    try {
      const first = await build(wanted(), await lock(wanted()));
      const there = context({ cache: join(elsewhere, 'cache'), recipeFolder: elsewhere });
      await mkdir(elsewhere, { recursive: true });
      const locked = await lock(wanted(), there);
      expect(locked).toEqual(await lock(wanted()));
      const second = await build(wanted(), locked, there);
      expect(second).not.toBe(first);
      expect(await readFile(join(second, 'app'))).toEqual(await readFile(join(first, 'app')));
      expect((await stat(join(second, 'app'))).mode & 0o7777).toBe(0o755);
    } finally {
      process.umask(before);
    }
  });

  it('takes overlays in, and what they import into the lock', async () => {
    await write(
      {
        'overlay/main.go':
          'package main\n\nimport (\n\t"example.org/extra"\n\t"example.org/greet"\n)\n\nfunc main() { println(greet.Text, extra.Text) }\n',
      },
      folder,
    );
    const of = wanted({ overlay: { 'cmd/other': 'overlay' }, package: 'cmd/other' });
    const locked = await lock(of);
    expect(locked.inputs.map(({ url }) => url)).toContain('go:example.org/extra@v1.1.0.zip');
    expect(locked.detail?.goModText).toContain('example.org/extra v1.1.0');
    expect(said(join(await build(of, locked), 'app'))).toBe('hello extra\n');
    // A change of the overlay is built without locking again, unless it uses other modules.
    const main = join(folder, 'overlay/main.go');
    await writeFile(main, (await readFile(main, 'utf8')).replace('greet.Text,', 'greet.Text, "and",'));
    expect(said(join(await build(of, locked), 'app'))).toBe('hello and extra\n');
    await writeFile(main, 'package main\n\nimport "example.org/lib"\n\nfunc main() { println(lib.Text) }\n');
    const error = await errorOf(build(of, locked));
    expect(error.code).toBe('input');
    expect(error.hint).toContain('sextant lock --update app');
  });

  it('asks for the published version of a local replace that leads out of the module', async () => {
    const error = await errorOf(lock(wanted({ replace: [] })));
    expect(error).toMatchObject({
      code: 'input',
      message:
        'component app: go.mod replaces example.org/lib by ./staging/src/example.org/lib, which is not part of the module',
      hint: expect.stringContaining('replace: [{ from: example.org/lib, version:'),
    });
  });

  it('whose version does not exist is named', async () => {
    const error = await errorOf(lock(wanted({ version: 'v9.9.9' })));
    expect(error).toMatchObject({
      code: 'input',
      message: expect.stringContaining('example.org/App@v9.9.9'),
    });
  });

  it('is a network error where no proxy answers', async () => {
    vi.stubEnv('GOPROXY', 'http://127.0.0.1:1');
    const error = await errorOf(lock(wanted(), context({ cache: join(folder, 'empty') })));
    expect(error).toMatchObject({
      code: 'network',
      message: expect.stringContaining('app (example.org/App'),
    });
  });

  it('is a tool error where there is no Go', async () => {
    const path = process.env.PATH;
    vi.stubEnv('PATH', '/nowhere');
    const error = await errorOf(lock(wanted()));
    vi.stubEnv('PATH', path);
    expect(error).toMatchObject({ code: 'tool', message: 'go: program not found' });
    expect(error.hint).toContain('install Go');
  });
});

describe('locked Go modules', () => {
  const drop = async (locked: LockedComponent, name: string) => {
    const blob = locked.inputs.find(({ url }) => url.includes(name));
    const digest = blob?.sha256 ?? '';
    await rm(join(cache, 'blobs/sha256', digest.slice(0, 2), digest));
    return digest;
  };
  const again = (changed: object) => wanted({ ...changed, ldflags: [String(Math.random())].slice(1) });

  it('that are not in the cache are named when frozen, and fetched again when not', async () => {
    const of = again({ tags: ['one'] });
    const locked = await lock(of);
    const digest = await drop(locked, 'greet@v1.0.0.zip');
    const error = await errorOf(build(of, locked));
    expect(error.code).toBe('input');
    expect(error.message).toBe(`app: go:example.org/greet@v1.0.0.zip (sha256 ${digest}) not in the cache`);
    expect(said(join(await build(of, locked, context()), 'app'))).toBe('none hello published\n');
  });

  it('whose bytes a proxy has changed are refused with both digests', async () => {
    const of = again({ tags: ['two'] });
    const locked = await lock(of);
    const digest = await drop(locked, 'lib@v0.9.0.mod');
    const elsewhere = join(folder, 'changed');
    await cp(join(cache, 'blobs'), join(elsewhere, 'blobs'), { recursive: true });
    const path = '/example.org/lib/@v/v0.9.0.mod';
    proxy.server.on(path, { body: `${goMod('example.org/lib')}// changed\n` });
    const error = await errorOf(build(of, locked, context({ cache: elsewhere })));
    proxy.server.on(path, { body: goMod('example.org/lib') });
    expect(error.code).toBe('verification');
    expect(error.message).toContain(digest);
    expect(error.message).toMatch(/got sha256 [0-9a-f]{64}$/);
  });
});

describe('a module of one’s own', () => {
  const own = (files: Record<string, string> = {}) =>
    write(
      {
        'own/go.mod': goMod('own', 'require example.org/greet v1.0.0'),
        'own/main.go':
          'package main\n\nimport "example.org/greet"\n\nvar version string\n\nfunc main() { println(greet.Text, version) }\n',
        'own/vendor/modules.txt': '# not used\n',
        'own/go.work': 'go 1.21\nuse ./nowhere\n',
        ...files,
      },
      folder,
    );
  const of = wanted({ directory: 'own', version: 'v0.1', replace: [] });

  it('is built with its version, and left as it was', async () => {
    await own();
    await rm(join(folder, 'own/go.sum'), { force: true });
    await chmod(join(folder, 'own'), 0o555);
    const locked = await lock(of);
    expect(locked.version).toBe('v0.1');
    expect(locked.inputs.map(({ url }) => url)).toEqual([
      'go:example.org/greet@v1.0.0.mod',
      'go:example.org/greet@v1.0.0.zip',
    ]);
    expect(said(join(await build(of, locked), 'app'))).toBe('hello v0.1\n');
    await chmod(join(folder, 'own'), 0o755);
    expect((await readdir(join(folder, 'own'))).sort()).toEqual(['go.mod', 'go.work', 'main.go', 'vendor']);
  });

  it('whose go.mod changed since it was locked is refused', async () => {
    await own();
    const locked = await lock(of);
    await own({ 'own/go.mod': goMod('own', 'require example.org/greet v1.0.0', '// later') });
    const error = await errorOf(build(of, locked));
    expect(error).toMatchObject({
      code: 'input',
      message: expect.stringContaining('go.mod is not what was locked'),
    });
  });

  it('whose go.sum says otherwise is refused', async () => {
    const sum = 'h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
    await own({ 'own/go.sum': `example.org/greet v1.0.0 ${sum}\nexample.org/greet v1.0.0/go.mod ${sum}\n` });
    const error = await errorOf(lock(of));
    await rm(join(folder, 'own/go.sum'));
    expect(error.code).toBe('verification');
    expect(error.details).toContain('checksum mismatch');
  });

  it('that does not compile gives the compiler’s last lines', async () => {
    await own({
      'own/main.go': 'package main\n\nimport "example.org/greet"\n\nfunc main() { greet.Missing() }\n',
    });
    const error = await errorOf(build(of, await lock(of)));
    expect(error).toMatchObject({ code: 'tool', message: expect.stringContaining('go build failed') });
    expect(error.details).toContain('undefined: greet.Missing');
  });

  it('without a go.mod is named', async () => {
    const error = await errorOf(lock(wanted({ directory: 'nothing-here' })));
    expect(error.message).toBe(`component app: ${join(folder, 'nothing-here')} holds no go.mod`);
  });
});

describe('a Go toolchain that the machine does not have', () => {
  it('is an input error when frozen', async () => {
    const locked = await lock(wanted());
    const error = await errorOf(
      build(wanted({ tags: ['x'] }), locked, context({ frozen: true, go: 'go1.21.99' })),
    );
    expect(error).toMatchObject({
      code: 'input',
      message: `app is locked for go1.21.99, this machine has ${go}`,
    });
  });

  it('that is no release is refused', async () => {
    const error = await errorOf(lock(wanted(), context({ go: 'devel +abc' })));
    expect(error).toMatchObject({ code: 'input', message: expect.stringContaining('devel +abc') });
  });
});
