// Writing an image, beside `systemd-repart --make-ddi=sysext` of Debian trixie (make tools) with the same tree, key, mkfs.erofs and
// options, in turn. Ours is a whole Node process, start-up included; neither makes a digest of the whole file.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
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
import { openSigner } from '../src/release/keys/signer.ts';
import { type Progress, silent } from '../src/support/progress.ts';
import { erofsTool } from '../test/image/erofs/tools.ts';
import { makeSigner, type SigningFiles } from '../test/image/fixture.ts';
import { inToolsRoot, toolsRoot as root } from '../test/tools-root.ts';
import { median } from './median.ts';

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
  const [
    ,
    ,
    ,
    tree = '',
    output = '',
    key = '',
    certificate = '',
    compression = 'none',
    clusterSize = '65536',
  ] = process.argv;
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
    signer: await openSigner({ key, certificate }),
    context: { cache: root, progress, signal: new AbortController().signal },
  });
  // Not getrusage(2): its maximum begins with what the process had that forked this one.
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  console.log(JSON.stringify({ memory: Number(peak) / 1024, steps }));
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

/** Where a comparison works: below the tools' root, which the peer sees as /. */
interface Bench {
  readonly folder: string;
  readonly signing: SigningFiles;
}

async function compare(): Promise<void> {
  const folder = mkdtempSync(join(root, 'mnt', 'bench-'));
  try {
    const bench = { folder, signing: makeSigner(folder, 'bench', 30) };
    const tree = join(folder, 'tree');
    await extractRelease(bench, join(tree, 'usr'));
    console.log(`${PAIRS} pairs in turn after one warm-up, medians`);
    await describe('the release', tree);
    await measure(bench, tree, 'none', 65536);
    // mkfs.erofs' own default, and what a recipe has by default.
    for (const clusterSize of [4096, 65536]) await measure(bench, tree, 'lz4hc', clusterSize);
    await hashing(join(folder, 'own.raw'));

    const large = join(folder, 'large');
    mkdirSync(join(large, 'usr'), { recursive: true });
    const all = join(large, 'usr/all');
    await timed('sh', ['-c', 'cat "$@" > "$0"', all, ...regularFiles(tree)]);
    rmSync(tree, { recursive: true });
    await describe('the same bytes as one file', large);
    await measure(bench, large, 'none', 65536);

    for (let copy = 1; copy < 4; copy += 1) copyFileSync(all, `${all}-${copy}`);
    await describe('four of that file', large);
    const { memory } = await writeOwn(bench, large, 'none', 65536);
    console.log(`none: sextant's memory ${memory.toFixed(0)} MiB`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Lays the files of the extensions in dist/ down, uncompressed: the tree that is written. */
async function extractRelease({ folder }: Bench, to: string): Promise<void> {
  const images = existsSync('dist') ? readdirSync('dist').filter((name) => name.endsWith('.raw')) : [];
  if (images.length === 0) throw new Error('no dist/: run make quickstart first, its images are the tree');
  mkdirSync(to, { recursive: true });
  for (const name of images) {
    const raw = join(folder, name);
    writeFileSync(raw, readFileSync(join('dist', name)));
    const [program, ...leading] = erofsTool('fsck.erofs');
    const extract = `--extract=${join(to, name.includes('arm64') ? 'b' : 'a')}`;
    await timed(program, [...leading, '--offset=1048576', extract, raw]);
    rmSync(raw);
  }
}

function regularFiles(tree: string): string[] {
  return readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function describe(name: string, tree: string): Promise<void> {
  const bytes = Number((await timed('du', ['-sb', tree])).said.split('\t')[0]);
  console.log(`${name}: ${(bytes / 1e6).toFixed(0)} MB, ${regularFiles(tree).length} files`);
}

async function writeOwn({ folder, signing }: Bench, tree: string, compression: string, clusterSize: number) {
  const own = join(folder, 'own.raw');
  rmSync(own, { force: true });
  const { key, certificate } = signing;
  const request = ['write', tree, own, key, certificate, compression, String(clusterSize)];
  const { seconds, said } = await timed(process.execPath, [process.argv[1] as string, ...request]);
  const report = JSON.parse(said) as { memory: number; steps: Record<string, number> };
  return { ...report, seconds, size: statSync(own).size };
}

async function writePeer({ folder, signing }: Bench, tree: string, options: string) {
  const peer = join(folder, 'peer.raw');
  rmSync(peer, { force: true });
  const inside = (path: string) => path.slice(root.length);
  const [command, args] = inToolsRoot('systemd-repart', [
    '--make-ddi=sysext',
    '--offline=yes',
    '--seed=00000000-0000-4000-8000-000000000001',
    `--private-key=${inside(signing.key)}`,
    `--certificate=${inside(signing.certificate)}`,
    `--copy-source=${inside(tree)}`,
    inside(peer),
  ]);
  const env = { ...process.env, SYSTEMD_REPART_MKFS_OPTIONS_EROFS: options };
  const { seconds, memory } = await timed(command, args, env);
  return { seconds, memory, size: statSync(peer).size };
}

async function measure(bench: Bench, tree: string, compression: string, clusterSize: number): Promise<void> {
  const options =
    compression === 'none' ? '' : `-z${compression} -C${clusterSize} --workers=${availableParallelism()}`;
  const pairs: { own: Awaited<ReturnType<typeof writeOwn>>; peer: Awaited<ReturnType<typeof writePeer>> }[] =
    [];
  for (let pair = -1; pair < PAIRS; pair += 1) {
    const own = await writeOwn(bench, tree, compression, clusterSize);
    const peer = await writePeer(bench, tree, options);
    if (pair >= 0) pairs.push({ own, peer });
  }
  const of = (value: (pair: (typeof pairs)[number]) => number, digits = 2) =>
    median(pairs.map(value)).toFixed(digits);
  console.log(
    `${compression}${compression === 'none' ? '' : `, clusters of ${clusterSize / 1024} KiB`}: ` +
      `sextant ${of(({ own }) => own.seconds)} s, systemd-repart ${of(({ peer }) => peer.seconds)} s, ` +
      `ratio ${of(({ own, peer }) => own.seconds / peer.seconds)} (${pairs.map(({ own, peer }) => (own.seconds / peer.seconds).toFixed(2)).join(' ')}); ` +
      `memory ${of(({ own }) => own.memory, 0)} MiB, theirs ${of(({ peer }) => peer.memory, 0)} MiB; ` +
      `size ${of(({ own, peer }) => own.size / peer.size, 3)} of theirs`,
  );
  const steps = Object.keys(pairs[0]?.own.steps ?? {});
  console.log(
    `  of it ${steps.map((step) => `${step} ${of(({ own }) => own.steps[step] ?? Number.NaN)} s`).join(', ')}`,
  );
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
