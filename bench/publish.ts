// Publishing an extension of 300 MB to Debian's docker-registry on loopback and pulling it again, beside oras, in turn. Ours is the whole command line
// with its start and with every file of the release hashed first; memory is the process' peak.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { oci } from '../src/sources/oci/index.ts';
import { openStore } from '../src/sources/store.ts';
import { silent } from '../src/support/progress.ts';
import { exampleRelease, imageName } from '../test/release/publish/example.ts';
import {
  judgeProgram,
  type RealRegistry,
  startRealRegistry,
} from '../test/release/registry/real-registry.ts';
import { median } from './median.ts';

const PAIRS = Number(process.argv[2] ?? 5);
const SIZES = [30e6, 300e6];
const RAW = 'application/vnd.kairos.sysext.raw';

if (process.argv[2] === 'pull') await pull(process.argv[3] ?? '', process.argv[4] ?? '');
else await compare();

/** What a recipe's oci source does with an empty cache: the manifest, then the layer into the store, its digest checked. */
async function pull(reference: string, cache: string): Promise<void> {
  const { signal } = new AbortController();
  const base = { cache, progress: silent, signal, frozen: false, mirrors: [] };
  const source = { type: 'oci', reference, version: '0' } as const;
  const component = { name: 'bench', source, files: [], standin: false } as unknown as Parameters<
    typeof oci.resolve
  >[0];
  await oci.resolve(component, source, 'amd64', {
    ...base,
    store: openStore(base),
    recipeFolder: cache,
    go: '',
  });
}

async function compare(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'sextant-bench-publish-'));
  try {
    for (const size of SIZES) {
      const registry = await startRealRegistry();
      try {
        await measure(registry, join(work, String(size)), size);
      } finally {
        await registry.close();
      }
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function measure(registry: RealRegistry, work: string, size: number): Promise<void> {
  const dist = exampleRelease(join(work, 'dist'), {
    architectures: ['amd64'],
    image: () => randomLike(size),
  });
  const file = imageName('amd64');
  const sextant = (...args: string[]) => timed(process.execPath, ['build/sextant.js', ...args]);
  const oras = (args: string[], cwd: string) => timed(judgeProgram('oras'), args, cwd);
  const push = { ours: [] as Measured[], theirs: [] as Measured[] };
  const fetch = { ours: [] as Measured[], theirs: [] as Measured[] };
  const both: Measured[] = [];
  for (let pair = -1; pair < PAIRS; pair += 1) {
    const name = `pair${pair + 1}`;
    const a = await sextant('publish', `oci://${registry.host}/ours/${name}`, dist, '--form', 'raw');
    const b = await oras(
      [
        'push',
        '--plain-http',
        '--artifact-type',
        RAW,
        `${registry.host}/theirs/${name}:v1`,
        `${file}:${RAW}`,
      ],
      dist,
    );
    const reference = `${registry.host}/theirs/${name}:v1`;
    const [cache, to] = [join(work, 'cache'), join(work, 'pulled')];
    for (const folder of [cache, to]) mkdirSync(folder);
    const c = await timed(process.execPath, [process.argv[1] as string, 'pull', reference, cache]);
    const d = await oras(['pull', '--plain-http', '--output', to, reference], work);
    if (statSync(join(to, file)).size !== size) throw new Error('oras pulled something else');
    for (const folder of [cache, to]) rmSync(folder, { recursive: true });
    if (pair < 0) continue; // The first warms what is read.
    push.ours.push(a);
    push.theirs.push(b);
    fetch.ours.push(c);
    fetch.theirs.push(d);
  }
  both.push(await sextant('publish', `oci://${registry.host}/both/forms`, dist));
  const again = await sextant('publish', `oci://${registry.host}/both/forms`, dist);
  console.log(`${size / 1e6} MB, ${PAIRS} pairs, medians:`);
  line('publish', push, size);
  line('pull', fetch, size);
  console.log(
    `  both forms ${seconds(both)}, ${memory(both)}; again, nothing to send ${again.seconds.toFixed(2)} s`,
  );
}

interface Measured {
  readonly seconds: number;
  /** Peak resident memory, MiB. */
  readonly memory: number;
}

function line(what: string, { ours, theirs }: { ours: Measured[]; theirs: Measured[] }, size: number): void {
  const ratios = ours.map(({ seconds: value }, index) => value / (theirs[index]?.seconds ?? Number.NaN));
  const rate = (of: Measured[]) => `${(size / 1e6 / median(of.map((each) => each.seconds))).toFixed(0)} MB/s`;
  console.log(
    `  ${what}: sextant ${seconds(ours)} (${rate(ours)}, ${memory(ours)}), oras ${seconds(theirs)} (${rate(theirs)}, ${memory(theirs)}); ratio ${median(ratios).toFixed(2)} (${ratios.map((ratio) => ratio.toFixed(2)).join(', ')})`,
  );
}

function seconds(of: Measured[]): string {
  return `${median(of.map((each) => each.seconds)).toFixed(2)} s`;
}
function memory(of: Measured[]): string {
  return `${median(of.map((each) => each.memory)).toFixed(0)} MiB`;
}

/** Runs a program to its end: wall time, and the peak that /proc has of it. Throws when it fails. */
async function timed(program: string, args: readonly string[], cwd = process.cwd()): Promise<Measured> {
  const began = performance.now();
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, peakOf(child));
  }, 10);
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  clearInterval(timer);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${said}`);
  return { seconds: (performance.now() - began) / 1000, memory: peak };
}

function peakOf({ pid }: ChildProcess): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0; // It has just ended.
  }
}

/** Bytes that nothing can compress, quickly made. */
function randomLike(size: number): Buffer {
  const block = Buffer.alloc(1 << 20);
  let state = 88172645463325252n;
  for (let at = 0; at < block.length; at += 8) {
    state ^= (state << 13n) & 0xffffffffffffffffn;
    state ^= state >> 7n;
    state ^= (state << 17n) & 0xffffffffffffffffn;
    block.writeBigUInt64LE(state, at);
  }
  const whole = Buffer.alloc(size);
  for (let at = 0; at < size; at += block.length) {
    block.writeUInt32LE(at / block.length, 0);
    block.copy(whole, at);
  }
  return whole;
}
