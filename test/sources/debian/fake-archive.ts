import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { packTar, type TarEntry } from 'modern-tar';
import { createCleartextMessage, generateKey, sign } from 'openpgp';
import { sha256, startServer, type TestServer } from '../server.ts';

interface FakePackage {
  readonly name: string;
  readonly version: string;
  readonly architecture?: string;
  readonly depends?: string;
  readonly preDepends?: string;
  readonly provides?: string;
  readonly files?: readonly TarEntry[];
}

/** ar(5): name, time, owner, group, mode, size, end mark. */
export function ar(members: readonly (readonly [string, Buffer])[]): Buffer {
  const pieces: Buffer[] = [Buffer.from('!<arch>\n')];
  for (const [name, data] of members) {
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}`;
    pieces.push(Buffer.from(`${header}${String(data.length).padEnd(10)}\`\n`), data);
    if (data.length % 2 === 1) pieces.push(Buffer.from('\n'));
  }
  return Buffer.concat(pieces);
}

export async function deb(files: readonly TarEntry[], compression: 'gz' | 'xz' | 'zst' | 'none' = 'gz') {
  const tar = Buffer.from(await packTar([...files]));
  const filter = (program: string, ...args: string[]) =>
    execFileSync(program, args, { input: tar, maxBuffer: 1 << 28 });
  const data =
    compression === 'gz'
      ? gzipSync(tar)
      : compression === 'xz'
        ? filter('xz', '-c')
        : compression === 'zst'
          ? filter('zstd', '-c', '-q')
          : tar;
  return ar([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', gzipSync(Buffer.alloc(1024))],
    [compression === 'none' ? 'data.tar' : `data.tar.${compression}`, data],
  ]);
}

export const file = (name: string, body: string, mode = 0o644): TarEntry => ({
  header: { name, size: Buffer.byteLength(body), mode, type: 'file' },
  body,
});
export const link = (name: string, linkname: string): TarEntry => ({
  header: { name, size: 0, type: 'symlink', linkname },
});

export interface FakeArchive {
  readonly server: TestServer;
  /** Public key that signs it, and one that does not. */
  readonly keys: string;
  readonly otherKeys: string;
  /** Sends requests for Debian's archive and snapshots here. */
  readonly mirrors: readonly { from: string; to: string }[];
  /** Puts a suite up as the archive's present state; packages that are not in it are gone. */
  publish(packages: readonly FakePackage[], release?: ReleaseOptions): Promise<void>;
  poolPath(item: FakePackage): string;
  close(): Promise<void>;
}

interface ReleaseOptions {
  readonly suite?: string;
  readonly codename?: string;
  readonly validUntil?: string;
  /** Changes the signed text afterwards. */
  readonly tamper?: (text: string) => string;
  /** Changes the package index after its digest was signed. */
  readonly tamperIndex?: (xz: Buffer) => Buffer;
}

const ARCHITECTURE = 'amd64';

/** A Debian archive on a loopback port, signed by a key made for the occasion. */
export async function fakeArchive(): Promise<FakeArchive> {
  const server = await startServer();
  const key = () =>
    generateKey({ userIDs: [{ name: 'Archive', email: 'archive@example.org' }], format: 'object' });
  const [own, other] = await Promise.all([key(), key()]);
  let present: string[] = [];
  const poolPath = (item: FakePackage) =>
    `pool/main/${item.name[0]}/${item.name}/${item.name}_${item.version.replace(/^\d+:/, '')}_${item.architecture ?? ARCHITECTURE}.deb`;
  return {
    server,
    keys: own.publicKey.armor(),
    otherKeys: other.publicKey.armor(),
    mirrors: [
      { from: 'http://deb.debian.org/', to: `${server.url}/` },
      { from: 'https://snapshot.debian.org/', to: `${server.url}/snapshot/` },
    ],
    poolPath,
    async publish(packages, options = {}) {
      for (const path of present) server.on(path, { status: 404 });
      present = [];
      const put = (path: string, body: Buffer | string) => {
        present.push(path);
        server.on(path, { body });
      };
      const paragraphs: string[] = [];
      for (const item of packages) {
        const bytes = await deb(item.files ?? [file(`./usr/share/doc/${item.name}/version`, item.version)]);
        put(`/debian/${poolPath(item)}`, bytes);
        const fields: [string, string | undefined][] = [
          ['Package', item.name],
          ['Version', item.version],
          ['Architecture', item.architecture ?? ARCHITECTURE],
          ['Pre-Depends', item.preDepends],
          ['Depends', item.depends],
          ['Provides', item.provides],
          ['Description', 'made for a test\n continued'],
          ['Filename', poolPath(item)],
          ['Size', String(bytes.length)],
          ['SHA256', sha256(bytes)],
        ];
        paragraphs.push(
          fields
            .filter(([, value]) => value !== undefined)
            .map(([name, value]) => `${name}: ${value}\n`)
            .join(''),
        );
      }
      const index = execFileSync('xz', ['-c'], { input: paragraphs.join('\n') });
      const { suite = 'trixie', codename = suite, validUntil } = options;
      const text = [
        'Origin: Debian',
        `Suite: ${suite === 'trixie' ? 'stable' : suite}`,
        `Codename: ${codename}`,
        'Date: Sat, 12 Sep 2026 07:55:41 UTC',
        ...(validUntil === undefined ? [] : [`Valid-Until: ${validUntil}`]),
        'Acquire-By-Hash: yes',
        'SHA256:',
        ` ${sha256(index)} ${index.length} main/binary-${ARCHITECTURE}/Packages.xz`,
        '',
      ].join('\n');
      const message = await createCleartextMessage({ text });
      const signed = await sign({ message, signingKeys: own.privateKey });
      put('/debian/dists/trixie/InRelease', options.tamper?.(signed) ?? signed);
      put(
        `/debian/dists/trixie/main/binary-${ARCHITECTURE}/by-hash/SHA256/${sha256(index)}`,
        options.tamperIndex?.(index) ?? index,
      );
    },
    close: () => server.close(),
  };
}
