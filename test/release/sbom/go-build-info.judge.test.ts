import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { goBuildInfoOf } from '../../../src/release/sbom/contents.ts';
import { cacheFolder } from '../../../src/support/context.ts';

// What `go version -m` reads out of the same programs.
const work = mkdtempSync(join(tmpdir(), 'sextant-buildinfo-'));
const environment = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };
afterAll(() => rmSync(work, { recursive: true, force: true }));

beforeAll(() => {
  // A module with one dependency, replaced by a folder: no download is needed.
  mkdirSync(join(work, 'dependency'));
  writeFileSync(join(work, 'dependency', 'go.mod'), 'module example.org/dependency\n\ngo 1.21\n');
  writeFileSync(join(work, 'dependency', 'd.go'), 'package dependency\n\nconst Said = "hello"\n');
  writeFileSync(
    join(work, 'go.mod'),
    'module example.org/program\n\ngo 1.21\n\nrequire example.org/dependency v1.0.0\n\nreplace example.org/dependency => ./dependency\n',
  );
  writeFileSync(
    join(work, 'main.go'),
    'package main\n\nimport "example.org/dependency"\n\nfunc main() { println(dependency.Said) }\n',
  );
  const build = (name: string, flags: string, architecture: string) =>
    execFileSync('go', ['build', '-trimpath', '-ldflags', flags, '-o', name, '.'], {
      cwd: work,
      env: { ...environment, GOARCH: architecture, GOOS: 'linux' },
    });
  build('plain', '', 'amd64');
  build('stripped', '-s -w', 'amd64');
  build('arm64', '-s -w', 'arm64');
});

/** The lines of `go version -m`: Go version, then "kind path version" of what names a module. */
function judged(file: string): string[] {
  const [first = '', ...lines] = execFileSync('go', ['version', '-m', file], { encoding: 'utf8' })
    .trim()
    .split('\n');
  const said = [first.slice(first.lastIndexOf(': ') + 2)];
  for (const line of lines) {
    const [, kind = '', path = '', version = ''] = line.split('\t');
    if (kind === 'path') said.push(`path ${path}`);
    if (kind === 'mod' || kind === 'dep') said.push(`${kind} ${path} ${version}`);
    if (kind === '=>') {
      const replaced = said.pop()?.split(' ') ?? [];
      said.push(`${replaced[0]} ${/^[./]/.test(path) ? replaced[1] : path} ${version}`);
    }
  }
  return said;
}

async function ours(file: string): Promise<string[]> {
  const info = await goBuildInfoOf(file);
  if (info === undefined) return [];
  return [
    info.goVersion,
    `path ${info.path}`,
    ...(info.main === undefined ? [] : [`mod ${info.main.path} ${info.main.version}`]),
    ...info.modules.map(({ path, version }) => `dep ${path} ${version}`),
  ];
}

test.each(['plain', 'stripped', 'arm64'])(
  '`go version -m` reads the same out of a program that is %s',
  async (name) => {
    const found = await ours(join(work, name));
    expect(found).toEqual(judged(join(work, name)));
    expect(found).toContain('dep example.org/dependency (devel)');
  },
);

test.each(['kairos-agent', 'yip-judge'])('and out of %s, with all its modules', async (name) => {
  const file = join(cacheFolder(), 'judges', 'go', 'bin', name);
  const found = await ours(file);
  expect(found).toEqual(judged(file));
  expect(found.length).toBeGreaterThan(30);
});
