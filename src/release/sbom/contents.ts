import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileHash } from '../../support/files.ts';
import type { TreeEntry } from '../../tree/types.ts';
import { type GoBuildInfo, MalformedBuildInfo, readGoBuildInfo } from './go-build-info.ts';

/** A file of the extension with what its bytes say. */
export interface SbomFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** SPDX 2.3 demands it (8.4). */
  readonly sha1: string;
  /** Component it came from; "hook" for what the provider's hook laid down, "sextant" for what we add. */
  readonly component: string;
  /** Of a program that Go linked. */
  readonly go?: GoBuildInfo;
}

/**
 * Reads the files that an extension delivers, out of its tree. A program whose Go build information cannot be read is listed without it and
 * named in the warnings.
 */
export async function fileContents(
  root: string,
  entries: readonly TreeEntry[],
  signal: AbortSignal,
): Promise<{ readonly files: readonly SbomFile[]; readonly warnings: readonly string[] }> {
  const files: SbomFile[] = [];
  const warnings: string[] = [];
  for (const { path, kind, size, sha256, component, disposition } of entries) {
    if (kind !== 'file' || disposition === 'dropped' || sha256 === undefined) continue;
    const { digest } = await fileHash(join(root, path), 'sha1', signal);
    const file = { path, size, sha256, sha1: digest, component };
    try {
      const go = await goBuildInfoOf(join(root, path));
      files.push(go === undefined ? file : { ...file, go });
    } catch (error) {
      if (!(error instanceof MalformedBuildInfo)) throw error;
      warnings.push(`${path}: its Go modules are not in the SBOM: ${error.message}`);
      files.push(file);
    }
  }
  return { files, warnings };
}

/** Go build information of a file on the disk; undefined where it has none. */
export async function goBuildInfoOf(path: string): Promise<GoBuildInfo | undefined> {
  const file = await open(path, 'r');
  try {
    return await readGoBuildInfo(async (offset, length) => {
      const buffer = Buffer.alloc(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return buffer.subarray(0, filled);
    });
  } finally {
    await file.close();
  }
}
