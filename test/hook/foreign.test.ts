import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  binfmtRule,
  hostRunsForeign,
  isProgramFor,
  isUsableEntry,
  wrapperScript,
} from '../../src/hook/foreign.ts';
import { run } from '../../src/support/subprocess.ts';

// What qemu-user-static of Debian registers, as the kernel shows it.
const ENTRY = `enabled
interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P
flags: POCF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
`;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-foreign-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a binfmt_misc rule', () => {
  it('matches 64-bit programs of the machine and opens the emulator at once', () => {
    expect(binfmtRule('arm64', 'sextant/emulator')).toBe(
      String.raw`:sextant:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:sextant/emulator:PF`,
    );
    expect(binfmtRule('amd64', 'e')).toContain(String.raw`\x02\x00\x3e\x00:`);
  });

  it('of the machine is usable when it is enabled, for that machine, and held open', () => {
    expect(isUsableEntry(ENTRY, 'arm64')).toBe(true);
    expect(isUsableEntry(ENTRY, 'amd64')).toBe(false);
    expect(isUsableEntry(ENTRY.replace('POCF', 'OC'), 'arm64')).toBe(false);
    expect(isUsableEntry(ENTRY.replace('enabled', 'disabled'), 'arm64')).toBe(false);
    expect(isUsableEntry('', 'arm64')).toBe(false);
  });

  it('is looked for among those of the machine', async () => {
    await writeFile(join(folder, 'status'), 'enabled\n');
    expect(await hostRunsForeign('arm64', folder)).toBe(false);
    await writeFile(join(folder, 'qemu-aarch64'), ENTRY);
    expect(await hostRunsForeign('arm64', folder)).toBe(true);
    expect(await hostRunsForeign('arm64', join(folder, 'not-mounted'))).toBe(false);
  });
});

describe('a program', () => {
  it('is recognised by its ELF header', async () => {
    const header = Buffer.alloc(64);
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(header);
    header.writeUInt16LE(183, 18);
    const path = join(folder, 'program');
    await writeFile(path, header);
    expect(await isProgramFor(path, 'arm64')).toBe(true);
    expect(await isProgramFor(path, 'amd64')).toBe(false);
    await writeFile(path, header.subarray(0, 12));
    expect(await isProgramFor(path, 'arm64')).toBe(false);
    await writeFile(path, '#!/bin/sh\necho long enough\n');
    expect(await isProgramFor(path, 'arm64')).toBe(false);
  });

  it('runs by its wrapper under the name it was called by, with its arguments', async () => {
    const emulator = join(folder, 'emulator');
    await writeFile(emulator, '#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n', { mode: 0o755 });
    const wrapper = join(folder, 'kubectl');
    await writeFile(wrapper, wrapperScript(emulator, '/run/k3s'), { mode: 0o755 });
    const { stdout } = await run(wrapper, ['get', 'a b']);
    expect(stdout.toString().split('\n')).toEqual(['-0', wrapper, '/run/k3s', 'get', 'a b', '']);
  });
});
