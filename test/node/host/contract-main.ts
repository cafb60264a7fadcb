import type { Host } from '../../../src/node/host/host.ts';
import { quickjsHost } from '../../../src/node/host/quickjs.ts';
import { type Case, CONTRACT } from './contract.ts';
import { expectEqual, expectTrue } from './expectations.ts';

// Run by QuickJS: the contract, and what only the real host can show. Argument: an empty folder. One line for each case.

const REAL: readonly Case[] = [
  {
    name: 'a request to end is noticed, and nothing sleeps after it',
    check(real) {
      const { asked } = real.deferTermination();
      expectEqual(asked(), false);
      real.run(['sh', '-c', 'kill -HUP $PPID']); // A terminal that is gone.
      expectEqual(asked(), true);
      const before = real.uptime();
      real.sleep(60);
      expectTrue(real.uptime() - before < 30, 'it did not sleep');
    },
  },
  {
    name: 'Ctrl-C and an order to end do not break off what must not be',
    check(real) {
      real.run(['sh', '-c', 'kill -INT $PPID; kill -TERM $PPID']);
      expectTrue(real.deferTermination().asked(), 'they were noticed');
    },
  },
  {
    name: 'programs do not inherit what is open here',
    check(real, folder) {
      real.lock(`${folder}/lock`, 0);
      expectEqual(real.run(['sh', '-c', 'ls /proc/$$/fd']).stdout.trim().split('\n').sort(), ['0', '1', '2']);
    },
  },
  {
    name: 'programs take signals as usual again',
    check(real) {
      const { stdout } = real.run(['cat', '/proc/self/status']);
      const signals = stdout.split('\n').filter((line) => /^Sig(Blk|Ign|Cgt):/.test(line));
      // The 31 signals that have names: those above are a C library's own, and its posix_spawn leaves two of them ignored.
      expectEqual(
        signals.map((line) => Number.parseInt((line.split('\t')[1] ?? '').slice(-8), 16) & 0x7fff_ffff),
        [0, 0, 0],
      );
    },
  },
];

function outcome(real: Host, { name, check }: Case, folder: string): string {
  try {
    real.mkdir(folder, 0o755);
    check(real, folder);
    return `ok ${name}`;
  } catch (error) {
    return `not ok ${name}: ${error instanceof Error ? `${error.message} ${error.stack ?? ''}` : error}`;
  }
}

const host = quickjsHost();
[...CONTRACT, ...REAL].forEach((one, at) => {
  host.out(`${outcome(host, one, `${host.args[0]}/${at}`).replaceAll('\n', ' ')}\n`);
});
host.out(`${CONTRACT.length + REAL.length} cases\n`);
