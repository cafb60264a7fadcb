import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { runProgram } from '../programs.ts';
import { certificateFiles, signersOf } from './certificates.ts';
import { type ImageParts, imageParts } from './image.ts';

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

/** As systemd does: signed by one of the node's certificates. */
function verifySignature(host: Host, path: string, parts: ImageParts): void {
  const hint = 'build it with the key of one of them, or take back the strict policy';
  if (!parts.signature)
    throw new Failure(
      'verification',
      `${path}: not signed, and this node merges only signed extensions`,
      'build it with `signing:` in the recipe, or take back the strict policy',
    );
  const certificates = certificateFiles(host);
  if (signersOf(host, path, parts, certificates).length > 0) return;
  const by = certificates.length === 0 ? 'there is none' : certificates.join(', ');
  throw new Failure('verification', `${path}: signed by none of this node's certificates (${by})`, hint);
}
