import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openHashPool } from '../../src/image/hash-pool.ts';
import type { ImageInfo } from '../../src/image/types.ts';
import { sealImage } from '../../src/image/writer.ts';
import { openSigner } from '../../src/release/keys/signer.ts';
import type { Context } from '../../src/support/context.ts';

export interface SigningFiles {
  readonly key: string;
  readonly certificate: string;
}

/** A new RSA key and a certificate for it, by openssl. */
export function makeSigner(folder: string, name: string, days = 2): SigningFiles {
  const [key, certificate] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const subject = ['-subj', `/CN=${name}`, '-days', String(days)];
  const files = ['-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...files, ...subject], {
    stdio: 'ignore',
  });
  return { key, certificate };
}

/** `count` blocks, each of its own; what they are does not matter to tables and hashes. */
export function dataBlocks(count: number): Buffer {
  const data = Buffer.alloc(count * 4096);
  for (let index = 0; index < count; index += 1) {
    createHash('sha256')
      .update(`${index}`)
      .digest()
      .copy(data, index * 4096);
  }
  return data;
}

/** Writes an image around bytes that stand where a file system would. */
export async function seal(
  path: string,
  data: Buffer,
  context: Context,
  signing?: SigningFiles,
): Promise<ImageInfo> {
  const fileSystem = `${path}.data`;
  const signer = signing === undefined ? undefined : await openSigner(signing);
  writeFileSync(fileSystem, data);
  const pool = openHashPool(context.signal);
  try {
    return await sealImage({
      fileSystem,
      path,
      moves: false,
      extensionName: 'provider-kairos',
      architecture: 'amd64',
      seed: 'test',
      context,
      signer,
      pool,
    });
  } finally {
    await pool.close();
  }
}
