// Writing an image, beside systemd-repart of Debian trixie (make tools) with the same tree, the same mkfs.erofs and options, in turn.
// Ours is a whole Node process, start-up and the whole file's SHA-256 included; theirs is systemd-repart in the tools' root.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { writeImage } from '../src/image/index.ts';
import { cacheFolder } from '../src/support/context.ts';
import { silent } from '../src/support/progress.ts';
import { erofsTool } from '../test/image/erofs/tools.ts';

const PAIRS = 5;
const root = process.env.SEXTANT_TOOLS ?? join(cacheFolder(), 'judges', 'trixie');

if (process.argv[2] === 'write') {
  const [, , , tree = '', output = '', compression = 'none'] = process.argv;
  await writeImage({
    tree,
    output,
    extensionName: 'bench',
    architecture: 'amd64',
    compression: compression as 'none' | 'lz4hc',
    clusterSize: 65536,
    seed: 'bench',
    timestamp: 315532800,
    mkfs: erofsTool('mkfs.erofs'),
    context: { cache: root, progress: silent, signal: new AbortController().signal },
  });
  console.log(process.resourceUsage().maxRSS);
} else {
  compare();
}

function timed(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): { seconds: number; said: string } {
  const began = process.hrtime.bigint();
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stderr}`);
  return { seconds: Number(process.hrtime.bigint() - began) / 1e9, said: stdout };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function compare(): void {
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
      timed(program, [
        ...leading,
        '--offset=1048576',
        `--extract=${join(tree, name.includes('arm64') ? 'b' : 'a')}`,
        raw,
      ]);
      rmSync(raw);
    }
    const bytes = Number(timed('du', ['-sb', tree]).said.split('\t')[0]);
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
    for (const compression of ['none', 'lz4hc']) measure(work, tree, definitions, compression);
    hashing();
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function measure(work: string, tree: string, definitions: string, compression: string): void {
  const ours: number[] = [];
  const theirs: number[] = [];
  const memory: number[] = [];
  const options = compression === 'none' ? '' : `-z${compression} -C65536 --workers=2`;
  const [own, peer] = [join(work, 'own.raw'), join(work, 'peer.raw')];
  for (let pair = -1; pair < PAIRS; pair += 1) {
    rmSync(own, { force: true });
    const a = timed(process.execPath, [process.argv[1] as string, 'write', tree, own, compression]);
    rmSync(peer, { force: true });
    const b = timed(
      'unshare',
      [
        '--mount',
        'sh',
        '-c',
        // systemd-repart opens its files through /proc.
        'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"',
        root,
        'systemd-repart',
        '--offline=yes',
        '--empty=create',
        '--size=auto',
        '--dry-run=no',
        '--seed=00000000-0000-4000-8000-000000000001',
        `--definitions=${definitions.slice(root.length)}`,
        peer.slice(root.length),
      ],
      {
        ...process.env,
        SYSTEMD_REPART_MKFS_OPTIONS_EROFS: options,
      },
    );
    if (pair < 0) continue;
    ours.push(a.seconds);
    theirs.push(b.seconds);
    memory.push(Number(a.said) / 1024);
  }
  const ratios = ours.map((value, index) => value / (theirs[index] ?? Number.NaN));
  console.log(
    `${compression}: sextant ${median(ours).toFixed(2)} s, systemd-repart ${median(theirs).toFixed(2)} s, ratio ${median(ratios).toFixed(2)}; ` +
      `our memory ${median(memory).toFixed(0)} MiB; size ${(statSync(own).size / statSync(peer).size).toFixed(3)} of theirs`,
  );
}

/** What OpenSSL's own program hashes in a second, on all processors, in blocks near ours. */
function hashing(): void {
  const said = timed('openssl', [
    'speed',
    '-seconds',
    '2',
    '-bytes',
    '4128',
    '-multi',
    '2',
    '-evp',
    'sha256',
  ]).said;
  console.log(`openssl speed sha256, 4128-byte blocks, 2 processes: ${said.trim().split('\n').at(-1)}`);
}
