import { removeTree } from '../effects/remove-tree.ts';
import { Failure } from '../failure.ts';
import { makeFolders } from '../files.ts';
import type { Host } from '../host/host.ts';
import { base64Bytes } from '../kubernetes/kubeconfig.ts';
import { RUN_FOLDER } from '../model/paths.ts';
import { runProgram } from '../programs.ts';
import { type ImageParts, imageParts, type Part } from './image.ts';

/** Certificates that systemd takes signatures of. */
const CERTIFICATES_FOLDER = '/etc/verity.d';
const LARGEST_SIGNATURE = 64 * 1024;
/** Reads the whole file once, at 5 MB a second for 9 GB. */
const VERIFY_SECONDS = 1800;

/**
 * Checks every block of an image against its root hash, and its signature where only signed extensions are merged: what would make the
 * merge fail is found before anything changes. Throws `verification`.
 */
export function verifyImage(host: Host, path: string, rootHash: string, strict: boolean): void {
  const parts = imageParts(host, path);
  if (parts.rootHash !== rootHash)
    throw new Failure(
      'verification',
      `${path}: its root hash is ${parts.rootHash}, its release says ${rootHash}`,
      'the release and its image do not belong together; build it again',
    );
  verifyTree(host, path, parts);
  if (strict) verifySignature(host, path, parts);
}

/** veritysetup reads the data from the start of a device, so the partition gets a loop device; the tree it finds by its offset. */
function verifyTree(host: Host, path: string, { root, verity, rootHash }: ImageParts): void {
  const { stdout } = runProgram(host, 'losetup', [
    ...['--find', '--show', '--read-only', '--offset', String(root.offset)],
    ...['--sizelimit', String(root.size), '--', path],
  ]);
  const device = stdout.trim();
  try {
    // 2 ("no permission") is what veritysetup(8) ends with for wrong bytes, 1 for a superblock that makes no sense.
    const { code, stderr } = runProgram(
      host,
      'veritysetup',
      ['verify', `--hash-offset=${verity.offset}`, device, path, rootHash],
      { timeoutSeconds: VERIFY_SECONDS, okCodes: [0, 1, 2] },
    );
    if (code === 0) return;
    throw new Failure(
      'verification',
      `${path}: its data is not what its root hash says: ${stderr.trim().split('\n')[0] || 'veritysetup refuses it'}`,
      'the release is damaged where it was built; build it again',
    );
  } finally {
    runProgram(host, 'losetup', ['--detach', device]);
  }
}

/** As systemd does: a PKCS#7 signature of the root hash's text by one of the certificates, whose dates do not count (dissect-image.c). */
function verifySignature(host: Host, path: string, { signature, rootHash }: ImageParts): void {
  const hint = `build it with the key of a certificate in ${CERTIFICATES_FOLDER}, or take back the strict policy`;
  if (!signature)
    throw new Failure(
      'verification',
      `${path}: not signed, and this node merges only signed extensions`,
      hint,
    );
  const bytes = signatureBytes(host, path, signature);
  const certificates = (host.list(CERTIFICATES_FOLDER) ?? []).filter((name) => name.endsWith('.crt'));
  const folder = `${RUN_FOLDER}/verify-${Math.floor(Math.random() * 1e9)}`;
  makeFolders(host, folder, 0o700);
  try {
    host.writeNew(`${folder}/signature`, bytes, 0o600);
    host.writeNew(`${folder}/content`, rootHash, 0o600);
    const signed = certificates.some((name) => {
      const by = ['-noverify', '-nointern', '-certfile', `${CERTIFICATES_FOLDER}/${name}`];
      const what = ['-in', `${folder}/signature`, '-content', `${folder}/content`, '-out', '/dev/null'];
      const args = ['smime', '-verify', '-binary', '-inform', 'DER', ...what, ...by];
      return runProgram(host, 'openssl', args, { okCodes: [0, 1, 2, 3, 4, 5, 6] }).code === 0;
    });
    if (signed) return;
  } finally {
    removeTree(host, folder);
  }
  const by = certificates.length === 0 ? 'there is none' : certificates.join(', ');
  throw new Failure(
    'verification',
    `${path}: signed by none of the certificates in ${CERTIFICATES_FOLDER} (${by})`,
    hint,
  );
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
