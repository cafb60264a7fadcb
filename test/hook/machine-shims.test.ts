import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archShim, REAL_UNAME, unameShim } from '../../src/hook/machine-shims.ts';
import { run } from '../../src/support/subprocess.ts';

// A real uname that answers as GNU's on Debian for amd64 does, so that the test is the same everywhere.
const REAL = `#!/bin/sh
case "$*" in
  -s | '') echo Linux ;; -n) echo node ;; -r) echo 6.12.1 ;; -v) echo '#1 SMP' ;; -m) echo x86_64 ;;
  -p | -i) echo unknown ;; -o) echo GNU/Linux ;;
  *) echo "real uname $*"; exit 3 ;;
esac
`;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-shim-'));
  const real = join(folder, 'real');
  await writeFile(real, REAL, { mode: 0o755 });
  await writeFile(join(folder, 'uname'), unameShim('amd64', 'arm64').replaceAll(REAL_UNAME, real), {
    mode: 0o755,
  });
  await writeFile(join(folder, 'arch'), archShim('amd64', 'arm64'), { mode: 0o755 });
});
afterAll(() => rm(folder, { recursive: true }));

const uname = async (...args: string[]) =>
  (await run(join(folder, 'uname'), args, { okCodes: [0, 3] })).stdout.toString().trimEnd();

describe("the sandbox's uname for arm64 on amd64", () => {
  it.each([
    [['-m'], 'aarch64'],
    [['--machine'], 'aarch64'],
    [['-a'], 'Linux node 6.12.1 #1 SMP aarch64 GNU/Linux'],
    [['--all'], 'Linux node 6.12.1 #1 SMP aarch64 GNU/Linux'],
    [['-sm'], 'Linux aarch64'],
    [['-m', '-s'], 'Linux aarch64'],
    [['-mrs'], 'Linux 6.12.1 aarch64'],
    [['-p'], 'unknown'],
    [['-r'], '6.12.1'],
    [[], 'Linux'],
    [['--help'], 'real uname --help'],
    [['-x'], 'real uname -x'],
    [['-m', 'operand'], 'real uname -m operand'],
    [['-m$(touch x)'], 'real uname -m$(touch x)'],
  ])('%j says %s', async (args, said) => {
    expect(await uname(...args)).toBe(said);
  });

  it('has the exit code of the real one', async () => {
    expect((await run(join(folder, 'uname'), ['-x'], { okCodes: [3] })).code).toBe(3);
  });

  it('comes with an arch that agrees', async () => {
    expect((await run(join(folder, 'arch'), [])).stdout.toString()).toBe('aarch64\n');
  });
});
