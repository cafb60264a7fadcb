// Writing an image, beside systemd-repart of Debian trixie (make tools) with the same tree, the same mkfs.erofs and options, in turn.
// Ours is a whole Node process, start-up and the whole file's SHA-256 included; theirs is systemd-repart in the tools' root, no digest.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { openHashPool } from '../src/image/hash-pool.ts';
import { writeImage } from '../src/image/index.ts';
import { type Progress, silent } from '../src/support/progress.ts';
import { erofsTool } from '../test/image/erofs/tools.ts';
import { inToolsRoot, toolsRoot as root } from '../test/tools-root.ts';

const PAIRS = 5;

if (process.argv[2] === 'write') {
  await write();
} else if (process.argv[2] === 'hash') {
  await hash(process.argv[3] ?? '');
} else {
  await compare();
}

/** Writes one image and says, for the comparing process, its memory and where its time went. */
async function write(): Promise<void> {
  const [, , , tree = '', output = '', compression = 'none', clusterSize = '65536'] = process.argv;
  const steps: Record<string, number> = {};
  const progress: Progress = {
    ...silent,
    step(name) {
      const began = performance.now();
      const end = () => {
        steps[name.replace(/ \(.*/, '')] = (performance.now() - began) / 1000;
      };
      return { update: () => {}, done: end, fail: end };
    },
  };
  await writeImage({
    tree,
    output,
    extensionName: 'bench',
    architecture: 'amd64',
    compression: compression as 'none' | 'lz4hc',
    clusterSize: Number(clusterSize),
    seed: 'bench',
    timestamp: 315532800,
    mkfs: erofsTool('mkfs.erofs'),
    context: { cache: root, progress, signal: new AbortController().signal },
  });
  console.log(JSON.stringify({ memory: process.resourceUsage().maxRSS / 1024, steps }));
}

/** Hashes a file as a tree's data is, threads warm and the file in the page cache: bytes per second. */
async function hash(path: string): Promise<void> {
  const file = openSync(path, 'r');
  const levels = openSync(`${path}.levels`, 'w+');
  const blocks = Math.floor(statSync(path).size / 4096);
  const pool = openHashPool(new AbortController().signal);
  const task = {
    mode: 'write',
    source: file,
    from: 0,
    blocks,
    target: levels,
    to: 0,
    salt: Buffer.alloc(32),
  } as const;
  const rates: number[] = [];
  for (let run = -1; run < PAIRS; run += 1) {
    const began = performance.now();
    await pool.level(task);
    if (run >= 0) rates.push((blocks * 4096) / ((performance.now() - began) / 1000));
  }
  await pool.close();
  console.log(median(rates));
}

interface Timed {
  readonly seconds: number;
  readonly said: string;
  /** Most memory of the process itself that was seen, MiB. */
  readonly memory: number;
}

async function timed(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Timed> {
  const began = performance.now();
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let memory = 0;
  const watch = setInterval(() => {
    try {
      const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
      memory = Math.max(memory, Number(peak ?? 0) / 1024);
    } catch {
      // It has just ended.
    }
  }, 20);
  const [said, complaint, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  clearInterval(watch);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${complaint}`);
  return { seconds: (performance.now() - began) / 1000, said, memory };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

async function compare(): Promise<void> {
  const work = mkdtempSync(join(root, 'mnt', 'bench-'));
  try {
    const tree = join(work, 'tree');
    const images = existsSync('dist') ? readdirSync('dist').filter((name) => name.endsWith('.raw')) : [];
    if (images.length === 0) throw new Error('no dist/: run make quickstart first, its images are the tree');
    mkdirSync(tree);
    for (const name of images) {
      const raw = join(work, name);
      writeFileSync(raw, readFileSync(join('dist', name)));
      const [program, ...leading] = erofsTool('fsck.erofs');
      await timed(program, [
        ...leading,
        '--offset=1048576',
        `--extract=${join(tree, name.includes('arm64') ? 'b' : 'a')}`,
        raw,
      ]);
      rmSync(raw);
    }
    const bytes = Number((await timed('du', ['-sb', tree])).said.split('\t')[0]);
    console.log(`tree: ${(bytes / 1e6).toFixed(0)} MB; ${PAIRS} pairs in turn after one warm-up, medians`);
    const definitions = join(work, 'repart.d');
    mkdirSync(definitions);
    writeFileSync(
      join(definitions, '10-root.conf'),
      `[Partition]\nType=root\nFormat=erofs\nCopyFiles=${tree.slice(root.length)}:/\nVerity=data\nVerityMatchKey=root\nMinimize=best\n`,
    );
    writeFileSync(
      join(definitions, '20-verity.conf'),
      '[Partition]\nType=root-verity\nVerity=hash\nVerityMatchKey=root\nMinimize=best\n',
    );
    await measure(work, tree, definitions, 'none', 65536);
    // mkfs.erofs' own default, and what a recipe has by default.
    for (const clusterSize of [4096, 65536]) await measure(work, tree, definitions, 'lz4hc', clusterSize);
    await hashing(join(work, 'own.raw'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function measure(
  work: string,
  tree: string,
  definitions: string,
  compression: string,
  clusterSize: number,
): Promise<void> {
  const ours: number[] = [];
  const theirs: number[] = [];
  const memory: number[] = [];
  const peerMemory: number[] = [];
  const steps: Record<string, number[]> = {};
  const options = compression === 'none' ? '' : `-z${compression} -C${clusterSize} --workers=2`;
  const [own, peer] = [join(work, 'own.raw'), join(work, 'peer.raw')];
  for (let pair = -1; pair < PAIRS; pair += 1) {
    rmSync(own, { force: true });
    const request = ['write', tree, own, compression, String(clusterSize)];
    const a = await timed(process.execPath, [process.argv[1] as string, ...request]);
    rmSync(peer, { force: true });
    const [command, args] = inToolsRoot('systemd-repart', [
      '--offline=yes',
      '--empty=create',
      '--size=auto',
      '--dry-run=no',
      '--seed=00000000-0000-4000-8000-000000000001',
      `--definitions=${definitions.slice(root.length)}`,
      peer.slice(root.length),
    ]);
    const b = await timed(command, args, { ...process.env, SYSTEMD_REPART_MKFS_OPTIONS_EROFS: options });
    if (pair < 0) continue;
    ours.push(a.seconds);
    theirs.push(b.seconds);
    peerMemory.push(b.memory);
    const report = JSON.parse(a.said) as { memory: number; steps: Record<string, number> };
    memory.push(report.memory);
    for (const [step, seconds] of Object.entries(report.steps)) {
      steps[step] = [...(steps[step] ?? []), seconds];
    }
  }
  const ratios = ours.map((value, index) => value / (theirs[index] ?? Number.NaN));
  const seconds = (values: readonly number[]) => `${median(values).toFixed(2)} s`;
  console.log(
    `${compression}${compression === 'none' ? '' : `, clusters of ${clusterSize / 1024} KiB`}: sextant ${seconds(ours)}, systemd-repart ${seconds(theirs)}, ratio ${median(ratios).toFixed(2)}; ` +
      `memory ${median(memory).toFixed(0)} MiB, theirs ${median(peerMemory).toFixed(0)} MiB; ` +
      `size ${(statSync(own).size / statSync(peer).size).toFixed(3)} of theirs`,
  );
  const spent = Object.entries(steps).map(([step, values]) => `${step} ${seconds(values)}`);
  console.log(`  of it ${spent.join(', ')}`);
}

/** Our hashing of a finished image beside what OpenSSL's own program hashes on all processors, in blocks as long as ours. */
async function hashing(image: string): Promise<void> {
  const processors = Math.min(4, availableParallelism());
  const options = ['-seconds', '2', '-bytes', '4128', '-multi', String(processors), '-evp', 'sha256'];
  const ratios: number[] = [];
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const ours = Number((await timed(process.execPath, [process.argv[1] as string, 'hash', image])).said);
    const last = (await timed('openssl', ['speed', ...options])).said.trim().split('\n').at(-1) ?? '';
    const theirs = Number(/([\d.]+)k$/.exec(last)?.[1]) * 1000;
    ratios.push(ours / theirs);
    if (pair === PAIRS - 1) {
      const rate = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB/s`;
      console.log(
        `hashing: ${rate(ours)}, openssl speed -evp sha256 with ${processors} processes ${rate(theirs)}; ` +
          `ratio ${median(ratios).toFixed(2)} (median of ${PAIRS} pairs)`,
      );
    }
  }
}
