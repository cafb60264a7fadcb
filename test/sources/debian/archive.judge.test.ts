import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKeys } from 'openpgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hook } from '../../../src/recipe/schema.ts';
import { DEBIAN_ARCHIVE_KEYS } from '../../../src/sources/debian/archive-keys.ts';
import { materializePackages, resolvePackages, toolCommand } from '../../../src/sources/debian/index.ts';
import type { SourceContext } from '../../../src/sources/types.ts';
import { type Architecture, hostArchitecture } from '../../../src/support/architecture.ts';
import { systemClock } from '../../../src/support/retry.ts';
import { contextFor } from '../context.ts';

// The real archive, the real keys, the real programs.
const host = hostArchitecture() as Architecture;
let cache: string;
let context: SourceContext;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'sextant-debian-'));
  context = contextFor(cache, { clock: systemClock });
});
afterAll(() => rm(cache, { recursive: true, force: true }));

const root = async (packages: readonly string[]) =>
  materializePackages(await resolvePackages(packages, 'trixie', host, context), context);
const output = (command: string, ...args: string[]) =>
  execFileSync(command, args, { encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } });

describe("Debian's archive", () => {
  it('gives a mkfs.erofs that runs with its own libraries', async () => {
    const [program, ...args] = toolCommand(await root(['erofs-utils']), 'usr/bin/mkfs.erofs');
    expect(output(program, ...args, '--version')).toContain('mkfs.erofs (erofs-utils) 1.8.6');
  });

  it('gives static emulators that run as they are', async () => {
    const folder = await root(['qemu-user']);
    const command = toolCommand(folder, 'qemu-aarch64');
    expect(command).toEqual([join(folder, 'usr/bin/qemu-aarch64')]);
    expect(output(command[0], '--version')).toMatch(/^qemu-aarch64 version 10\./);
  });

  it('gives a root in which a hook finds what it needs', async () => {
    const folder = await root(hook.parse({}).rootPackages);
    const inside = (script: string) =>
      process.getuid?.() === 0
        ? output('chroot', folder, 'sh', '-ec', script)
        : output('unshare', '--map-root-user', 'chroot', folder, 'sh', '-ec', script);
    expect(inside('curl --version')).toMatch(/^curl 8\./);
    expect(inside('systemctl --version')).toMatch(/^systemd 257/);
    expect(inside('wget --version')).toMatch(/^GNU Wget/);
    expect(inside('echo a b | awk "{ print \\$2 }"; id -un; hostname --version >&2')).toBe('b\nroot\n');
    expect(inside('openssl crl2pkcs7 -nocrl -certfile /etc/ssl/certs/ca-certificates.crt')).toContain(
      'PKCS7',
    );
  });

  it('ships the keys that are believed, which are those that the comment beside them names', async () => {
    const file = join(await root(['debian-archive-keyring']), 'usr/share/keyrings/debian-archive-keyring');
    const found = existsSync(`${file}.pgp`) ? `${file}.pgp` : `${file}.gpg`;
    const fingerprints = (keys: readonly { getFingerprint(): string }[]) =>
      keys.map((key) => key.getFingerprint().toUpperCase());
    const theirs = fingerprints(await readKeys({ binaryKeys: await readFile(found) }));
    const ours = fingerprints(await readKeys({ armoredKeys: DEBIAN_ARCHIVE_KEYS }));
    expect(ours.length).toBeGreaterThan(0);
    for (const key of ours) expect(theirs).toContain(key);
    const source = await readFile('src/sources/debian/archive-keys.ts', 'utf8');
    const named = [...source.matchAll(/^\/\/ {3}((?:[0-9A-F]{4} +){10})/gm)];
    expect(named.map(([, key = '']) => key.replaceAll(' ', '')).sort()).toEqual(ours.sort());
  });

  it('has the same packages for the other architecture', async () => {
    const other = host === 'amd64' ? 'arm64' : 'amd64';
    const locked = await resolvePackages(['erofs-utils'], 'trixie', other, context);
    expect(locked.inputs.some(({ url }) => url.endsWith(`erofs-utils_1.8.6-1_${other}.deb`))).toBe(true);
  });
});
