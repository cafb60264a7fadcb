// Writes src/release/node-program/pins.lock.json: `npm run pin:node`. Everything is held against Debian's signed index. Run it when the
// archive has dropped a pinned version (and no mirror or snapshot is at hand), or to take a newer compiler.
import { readFile, writeFile } from 'node:fs/promises';
import type { LockedBlob, LockedPackages } from '../src/lock/types.ts';
import { parseParagraph } from '../src/sources/debian/control.ts';
import { resolvePackages } from '../src/sources/debian/index.ts';
import { asked, snapshotTime } from '../src/sources/debian/location.ts';
import { readRelease } from '../src/sources/debian/release.ts';
import { debianTrust, lockedPackage, openSuite } from '../src/sources/debian/suite.ts';
import { openStore } from '../src/sources/store.ts';
import type { SourceContext } from '../src/sources/types.ts';
import { ARCHITECTURES, type Architecture } from '../src/support/architecture.ts';
import { cacheFolder } from '../src/support/context.ts';
import { silent } from '../src/support/progress.ts';
import { run } from '../src/support/subprocess.ts';

const SUITE = 'trixie';
const ARCHIVE = 'http://deb.debian.org/debian';
const QUICKJS = '2025.04.26';
// What these programs load at run time comes with the first two; the rest of clang's dependencies are other libraries for its users.
const COMPILER = { closed: ['lld-19', 'libclang-cpp19'], single: ['clang-19', 'libclang-common-19-dev'] };
const TARGET = ['musl-dev', 'libgcc-14-dev'];

const { signal } = new AbortController();
const cache = cacheFolder();
const context: SourceContext = {
  cache,
  progress: silent,
  signal,
  store: openStore({ cache, mirrors: [], frozen: false, signal, progress: silent }),
  frozen: false,
  mirrors: [],
  recipeFolder: '.',
  go: '',
};

/** Packages without what they depend on. */
async function single(names: readonly string[], architecture: Architecture): Promise<LockedPackages> {
  const { index, date } = await openSuite(SUITE, architecture, context, debianTrust);
  const inputs = names.map((name) => {
    const [found] = index.named.get(name) ?? [];
    if (found === undefined) throw new Error(`${name} is not in ${SUITE} (${architecture})`);
    return lockedPackage(SUITE, found);
  });
  return { suite: SUITE, packages: [...names], inputs, snapshot: snapshotTime(date) };
}

async function compiler(architecture: Architecture): Promise<LockedPackages> {
  const closed = await resolvePackages(COMPILER.closed, SUITE, architecture, context);
  const others = await single(COMPILER.single, architecture);
  return {
    ...closed,
    packages: [...COMPILER.single, ...COMPILER.closed],
    inputs: [...closed.inputs, ...others.inputs],
  };
}

/** The upstream archive of a Debian source package, from the signed index of sources. */
async function quickjsSource(): Promise<LockedBlob> {
  const dists = `${ARCHIVE}/dists/${SUITE}`;
  const signed = await context.store.discover(asked(`${dists}/InRelease`));
  const release = await readRelease(await readFile(signed.path, 'utf8'), debianTrust.keys, SUITE);
  const file = release.files.get('main/source/Sources.xz');
  if (file === undefined) throw new Error('no index of sources');
  const stored = await context.store.fetch({ ...file, url: asked(`${dists}/main/source/Sources.xz`) });
  const { stdout } = await run('xz', ['-dc', stored], { keepBytes: 512 * 1024 * 1024 });
  for (const text of stdout.toString('utf8').split('\n\n')) {
    if (!text.startsWith('Package: quickjs\n')) continue;
    const fields = parseParagraph(text);
    for (const line of (fields.get('Checksums-Sha256') ?? '').split('\n')) {
      const [sha256 = '', size = '', name = ''] = line.trim().split(/\s+/);
      if (name !== `quickjs_${QUICKJS}.orig.tar.xz`) continue;
      const url = `${ARCHIVE}/${fields.get('Directory')}/${name}`;
      return { url, size: Number(size), sha256, checkedAgainst: `Debian InRelease ${SUITE}` };
    }
  }
  throw new Error(`quickjs ${QUICKJS} is not in the index of sources`);
}

const byArchitecture = async (make: (architecture: Architecture) => Promise<LockedPackages>) =>
  Object.fromEntries(
    await Promise.all(ARCHITECTURES.map(async (architecture) => [architecture, await make(architecture)])),
  );

const pins = {
  quickjs: { version: QUICKJS, license: 'MIT', source: await quickjsSource() },
  compiler: await byArchitecture(compiler),
  target: await byArchitecture((architecture) => single(TARGET, architecture)),
};
// One file a line, as in locks.
const text = JSON.stringify(
  pins,
  (_key, value: unknown) =>
    typeof value === 'object' && value !== null && 'sha256' in value
      ? `\u0000${JSON.stringify(value)}\u0000`
      : value,
  2,
).replace(/"\\u0000(.*?)\\u0000"/g, (_whole, blob: string) => JSON.parse(`"${blob}"`));
await writeFile('src/release/node-program/pins.lock.json', `${text}\n`);
