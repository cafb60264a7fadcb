import { removeTree } from '../effects/remove-tree.ts';
import { Failure } from '../failure.ts';
import { makeFolders } from '../files.ts';
import type { Host } from '../host/host.ts';
import { base64Bytes } from '../kubernetes/kubeconfig.ts';
import { RUN_FOLDER } from '../model/paths.ts';
import { runProgram } from '../programs.ts';
import type { ImageParts, Part } from './image.ts';

/** Where systemd looks for certificates, the first folder of a name first (dissect-image.c); immucore fills /run's under trusted boot. */
const FOLDERS = ['/etc', '/run', '/usr/local/lib', '/usr/lib'].map((folder) => `${folder}/verity.d`);
const LARGEST_SIGNATURE = 64 * 1024;

/** Paths of the certificates that systemd takes signatures of. */
export function certificateFiles(host: Host): string[] {
  const found = new Map<string, string>();
  for (const folder of FOLDERS) {
    for (const name of host.list(folder) ?? []) {
      if (name.endsWith('.crt') && !found.has(name)) found.set(name, `${folder}/${name}`);
    }
  }
  return [...found.values()].sort();
}

/**
 * Those of the certificates by whose keys an image is signed, asked of openssl as systemd asks it: a PKCS#7 signature of the root hash's text,
 * dates do not count. Empty for an image without a signature; throws `verification` for one whose signature cannot be read.
 */
export function signersOf(
  host: Host,
  path: string,
  { signature, rootHash }: ImageParts,
  certificates: readonly string[],
): string[] {
  if (!signature) return [];
  const bytes = signatureBytes(host, path, signature);
  const folder = `${RUN_FOLDER}/verify-${Math.floor(Math.random() * 1e9)}`;
  makeFolders(host, folder, 0o700);
  try {
    host.writeNew(`${folder}/signature`, bytes, 0o600);
    host.writeNew(`${folder}/content`, rootHash, 0o600);
    return certificates.filter((certificate) => {
      const by = ['-noverify', '-nointern', '-certfile', certificate];
      const what = ['-in', `${folder}/signature`, '-content', `${folder}/content`, '-out', '/dev/null'];
      const args = ['smime', '-verify', '-binary', '-inform', 'DER', ...what, ...by];
      return runProgram(host, 'openssl', args, { okCodes: [0, 1, 2, 3, 4, 5, 6] }).code === 0;
    });
  } finally {
    removeTree(host, folder);
  }
}

/** JSON with the signature in base64, zeros behind it (systemd's repart.c). */
function signatureBytes(host: Host, path: string, { offset, size }: Part): Uint8Array {
  const text = host.decode(
    host.readBytes(path, offset, Math.min(size, LARGEST_SIGNATURE)) ?? new Uint8Array(),
  );
  try {
    const { signature } = JSON.parse(text.replace(/\0+$/, '')) as { signature?: unknown };
    const bytes = typeof signature === 'string' ? base64Bytes(signature) : undefined;
    if (bytes) return bytes;
  } catch {
    // Said below.
  }
  throw new Failure('verification', `${path}: its signature cannot be read`, 'build the release again');
}

export interface Certificate {
  readonly path: string;
  /** SHA-256 of the certificate (DER), hexadecimal: what `sextant key show` prints. */
  readonly fingerprint: string;
  readonly subject: string;
  /** As openssl writes it: "May  5 05:05:05 2036 GMT". Of systemd no matter. */
  readonly until: string;
}

/** What a certificate is. Throws `input` for a file that openssl cannot read as one: systemd passes over it. */
export function certificateAt(host: Host, path: string): Certificate {
  const args = [
    'x509',
    '-in',
    path,
    '-noout',
    '-fingerprint',
    '-sha256',
    '-subject',
    '-nameopt',
    'RFC2253',
    '-enddate',
  ];
  const { code, stdout } = runProgram(host, 'openssl', args, { okCodes: [0, 1] });
  const line = (name: string) => new RegExp(`^${name}=(.*)$`, 'im').exec(stdout)?.[1]?.trim() ?? '';
  const fingerprint = line('sha256 fingerprint').replaceAll(':', '').toLowerCase();
  if (code !== 0 || !/^[0-9a-f]{64}$/.test(fingerprint)) {
    throw new Failure('input', `${path}: not a certificate`, 'take it away, or put a PEM certificate there');
  }
  return { path, fingerprint, subject: line('subject'), until: line('notAfter') };
}
