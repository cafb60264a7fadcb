import { lstat, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { component, type SourceOf } from '../../../src/recipe/schema.ts';
import { debianSource } from '../../../src/sources/debian/debian.ts';
import { asked } from '../../../src/sources/debian/location.ts';
import { materializePackages, resolvePackages } from '../../../src/sources/debian/packages.ts';
import { contextFor, errorOf, withFolder } from '../context.ts';
import { sha256 } from '../server.ts';
import { type FakeArchive, fakeArchive, file, link } from './fake-archive.ts';

const tool = {
  name: 'tool',
  version: '1:2.0-1',
  depends: 'libtool1 (>= 1)',
  files: [file('./usr/bin/tool', 'tool 2.0', 0o755), file('./bin/old', 'in the old place', 0o4755)],
};
const library = { name: 'libtool1', version: '1.1', architecture: 'all', preDepends: 'mawk' };
const mawk = { name: 'mawk', version: '1.3', files: [file('./usr/bin/mawk', 'mawk', 0o755)] };
const base = [tool, library, mawk];

const asComponent = (source: object) =>
  component.parse({ name: 'the-tool', source: { type: 'debian', package: 'tool', ...source } });

let archive: FakeArchive;
beforeAll(async () => {
  archive = await fakeArchive();
});
afterAll(() => archive.close());

const fresh = (folder: string, options: object = {}) =>
  contextFor(folder, { mirrors: archive.mirrors, ...options });
const trust = () => ({ keys: archive.keys });

describe('a Debian archive', () => {
  it('is believed when its index is signed by a known key', async () => {
    await archive.publish(base);
    await withFolder(async (folder) => {
      const locked = await resolvePackages(['tool'], 'trixie', 'amd64', fresh(folder), trust());
      expect(locked).toMatchObject({ suite: 'trixie', packages: ['tool'], snapshot: '20260912T075541Z' });
      expect(locked.inputs.map(({ url }) => url)).toEqual([
        'http://deb.debian.org/debian/pool/main/l/libtool1/libtool1_1.1_all.deb',
        'http://deb.debian.org/debian/pool/main/m/mawk/mawk_1.3_amd64.deb',
        'http://deb.debian.org/debian/pool/main/t/tool/tool_2.0-1_amd64.deb',
      ]);
      expect(locked.inputs[0]?.checkedAgainst).toBe('Debian InRelease trixie');
    });
  });

  const refused: [string, Parameters<FakeArchive['publish']>[1], string][] = [
    [
      'was changed after signing',
      { tamper: (text) => text.replace('Codename: trixie', 'Codename: trixi3') },
      'no good signature',
    ],
    [
      'is not signed',
      { tamper: (text) => text.slice(0, text.indexOf('-----BEGIN PGP SIG')) },
      'not a signed text',
    ],
    ['is another suite', { suite: 'bookworm' }, 'is about bookworm'],
    ['has expired', { validUntil: 'Sat, 12 Sep 2020 00:00:00 UTC' }, 'was valid until'],
    ['lists another package index', { tamperIndex: (xz) => Buffer.concat([xz, xz]) }, 'wrong content'],
  ];
  it.each(refused)('is refused when it %s', async (_what, options, says) => {
    await archive.publish(base, options);
    await withFolder(async (folder) => {
      const error = await errorOf(resolvePackages(['tool'], 'trixie', 'amd64', fresh(folder), trust()));
      expect(error).toMatchObject({ code: 'verification', message: expect.stringContaining(says) });
    });
  });

  it.each([
    ['1970-01-01T00:00:12Z', '1970-01-01 00:00 UTC'],
    ['2001-05-05T05:05:05Z', '2001-05-05 05:05 UTC'],
  ])(
    'that was signed after what the clock says (%s) is refused by that time, not as forged',
    async (now, shown) => {
      await archive.publish(base);
      vi.useFakeTimers({ toFake: ['Date'], now: new Date(now) });
      await withFolder(async (folder) => {
        const error = await errorOf(resolvePackages(['tool'], 'trixie', 'amd64', fresh(folder), trust()));
        expect(error.code).toBe('verification');
        expect(error.message).toContain(
          `InRelease of trixie: its signature does not count at the time of this machine's clock, ${shown} (`,
        );
        expect(error.hint).toContain('set the clock if that is not the time');
        const forged = { keys: archive.otherKeys };
        const other = await errorOf(resolvePackages(['tool'], 'trixie', 'amd64', fresh(folder), forged));
        expect(other.message).toContain('no good signature');
      }).finally(() => vi.useRealTimers());
    },
  );

  it('is refused when another key has signed it', async () => {
    await archive.publish(base);
    await withFolder(async (folder) => {
      const other = { keys: archive.otherKeys };
      const error = await errorOf(resolvePackages(['tool'], 'trixie', 'amd64', fresh(folder), other));
      expect(error).toMatchObject({
        code: 'verification',
        message: expect.stringContaining('no good signature'),
      });
    });
  });

  it('is read from its signed part only', async () => {
    const forged = `SHA256:\n ${'0'.repeat(64)} 1 main/binary-amd64/Packages.xz\n\n`;
    await archive.publish(base, { tamper: (text) => `${forged}${text}\n${forged}` });
    await withFolder(async (folder) => {
      const outcome = await resolvePackages(['tool'], 'trixie', 'amd64', fresh(folder), trust()).then(
        (locked) => locked.inputs.length,
        (error: { code: string }) => error.code,
      );
      expect([3, 'verification']).toContain(outcome);
    });
  });

  it('has suites and architectures that are there', async () => {
    await archive.publish(base);
    await withFolder(async (folder) => {
      const context = fresh(folder);
      const error = await errorOf(resolvePackages(['tool'], 'trixie', 'arm64', context, trust()));
      expect(error.message).toBe('Debian suite trixie has no main/binary-arm64/Packages.xz');
      const bad = await errorOf(resolvePackages(['tool'], '../x', 'amd64', context, trust()));
      expect(bad).toMatchObject({ code: 'input', message: '"../x" is not the name of a Debian suite' });
    });
  });

  it('can be asked at another mirror', () => {
    const at = (url: string) => asked(url, { SEXTANT_DEBIAN: 'http://mirror.example/debian/' });
    expect(at('http://deb.debian.org/debian/pool/a.deb')).toBe('http://mirror.example/debian/pool/a.deb');
    expect(at('http://deb.debian.org/debian-security/x')).toBe('http://mirror.example/debian-security/x');
    expect(at('https://snapshot.debian.org/x')).toBe('https://snapshot.debian.org/x');
  });
});

describe('a root of Debian packages', () => {
  it('has a merged /usr and the files that maintainer scripts would have made', async () => {
    await archive.publish([
      ...base,
      {
        name: 'ca-certificates',
        version: '1',
        files: [
          file('./usr/share/ca-certificates/mozilla/b.crt', 'B'),
          file('./usr/share/ca-certificates/mozilla/a.crt', 'A\n'),
        ],
      },
      { name: 'dash', version: '1', files: [file('./usr/bin/dash', '', 0o755), link('./bin/sh', 'dash')] },
    ]);
    await withFolder(async (folder) => {
      const context = fresh(folder);
      const asking = ['tool', 'ca-certificates', 'dash'];
      const locked = await resolvePackages(asking, 'trixie', 'amd64', context, trust());
      const root = await materializePackages(locked, context, trust());
      const text = (path: string) => readFile(join(root, path), 'utf8');
      expect(await readlink(join(root, 'bin'))).toBe('usr/bin');
      expect(await text('usr/bin/old')).toBe('in the old place');
      expect((await lstat(join(root, 'usr/bin/old'))).mode & 0o7777).toBe(0o755);
      expect(await readlink(join(root, 'usr/bin/sh'))).toBe('dash');
      expect(await readlink(join(root, 'usr/bin/awk'))).toBe('mawk');
      expect(await text('etc/ssl/certs/ca-certificates.crt')).toBe('A\nB\n');
      expect(await text('etc/passwd')).toContain('root:x:0:0:');
      expect((await lstat(join(root, 'tmp'))).mode & 0o7777).toBe(0o1777);
      // Again, with no network at all.
      expect(await materializePackages(locked, fresh(folder, { frozen: true }), trust())).toBe(root);
    });
  });

  it('is not made without network when a package is missing, and says which', async () => {
    await archive.publish(base);
    await withFolder(async (folder) => {
      const locked = await resolvePackages(['tool'], 'trixie', 'amd64', fresh(folder), trust());
      const before = archive.server.requests.length;
      const error = await errorOf(materializePackages(locked, fresh(folder, { frozen: true }), trust()));
      expect(error.code).toBe('input');
      expect(error.message).toMatch(/libtool1_1\.1_all\.deb|mawk_1\.3_amd64\.deb|tool_2\.0-1_amd64\.deb/);
      expect(archive.server.requests.length).toBe(before);
    });
  });
});

describe('a debian component', () => {
  const room = () => debianSource(trust());
  const source = (of: ReturnType<typeof asComponent>) => of.source as SourceOf<'debian'>;

  it('is one package without what it depends on', async () => {
    await archive.publish(base);
    await withFolder(async (folder) => {
      const context = fresh(folder);
      const wanted = asComponent({});
      const locked = await room().resolve(wanted, source(wanted), 'amd64', context);
      expect(locked).toMatchObject({ name: 'the-tool', type: 'debian', version: '1:2.0-1' });
      expect(locked.inputs).toHaveLength(1);
      const made = await room().materialize(wanted, source(wanted), locked, 'amd64', context);
      expect(await readFile(join(made, 'usr/bin/tool'), 'utf8')).toBe('tool 2.0');
    });
  });

  it('names the version that is there when the one asked for is not', async () => {
    await archive.publish(base);
    await withFolder(async (folder) => {
      const wanted = asComponent({ version: '1.0' });
      const error = await errorOf(room().resolve(wanted, source(wanted), 'amd64', fresh(folder)));
      expect(error.message).toBe(
        'Debian package tool 1.0 is not in Debian trixie (amd64), which has 1:2.0-1',
      );
    });
  });

  const replace = async (folder: string) => {
    await archive.publish(base);
    const wanted = asComponent({});
    const locked = await room().resolve(wanted, source(wanted), 'amd64', fresh(folder));
    const old = `/snapshot/archive/debian/20260912T075541Z/${archive.poolPath(tool)}`;
    const bytes = await fetch(`${archive.server.url}/debian/${archive.poolPath(tool)}`);
    const kept = Buffer.from(await bytes.arrayBuffer());
    expect(sha256(kept)).toBe(locked.inputs[0]?.sha256);
    await archive.publish([{ ...tool, version: '1:2.0-2' }, library, mawk]);
    return { wanted, locked, old, kept };
  };

  it('whose version the archive has replaced says which version is there now', async () => {
    await withFolder(async (folder) => {
      const { wanted, locked, old } = await replace(folder);
      archive.server.on(old, { status: 404 });
      const error = await errorOf(room().materialize(wanted, source(wanted), locked, 'amd64', fresh(folder)));
      expect(error.code).toBe('input');
      expect(error.message).toBe(
        'Debian package tool 2.0-1 (amd64) is no longer in the archive; trixie now has 1:2.0-2',
      );
      expect(error.hint).toContain('sextant lock --update the-tool');
    });
  });

  it('whose version the archive has replaced comes from the snapshot of the day it was locked', async () => {
    await withFolder(async (folder) => {
      const { wanted, locked, old, kept } = await replace(folder);
      archive.server.on(old, { body: kept });
      const made = await room().materialize(wanted, source(wanted), locked, 'amd64', fresh(folder));
      expect(await readFile(join(made, 'usr/bin/tool'), 'utf8')).toBe('tool 2.0');
      // The cache keeps it: gone from everywhere, it is still there.
      archive.server.on(old, { status: 404 });
      const frozen = fresh(folder, { frozen: true });
      expect(await room().materialize(wanted, source(wanted), locked, 'amd64', frozen)).toBe(made);
    });
  });

  it('with other bytes under its name is refused with both digests', async () => {
    await archive.publish(base);
    await withFolder(async (folder) => {
      const context = fresh(folder);
      const wanted = asComponent({});
      const locked = await room().resolve(wanted, source(wanted), 'amd64', context);
      const body = Buffer.alloc(locked.inputs[0]?.size ?? 0, 'x');
      archive.server.on(`/debian/${archive.poolPath(tool)}`, { body });
      const error = await errorOf(room().materialize(wanted, source(wanted), locked, 'amd64', context));
      expect(error.code).toBe('verification');
      expect(error.message).toContain(locked.inputs[0]?.sha256);
      expect(error.message).toContain(sha256(body));
    });
  });
});
