import { open, readFile } from 'node:fs/promises';
import { fileDigest, sha256 } from '../support/files.ts';
import type { Planned } from './plan.ts';

/** Up to `length` bytes of a planned file from `offset`. */
export async function readContent(entry: Planned, offset: number, length: number): Promise<Uint8Array> {
  const { content } = entry;
  if (content === undefined) return new Uint8Array();
  if ('bytes' in content) return content.bytes.subarray(offset, offset + length);
  const file = await open(content.source, 'r');
  try {
    const buffer = Buffer.alloc(Math.min(length, Math.max(0, entry.size - offset)));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** A whole planned file as text; for unit and configuration files, which are small. */
export async function readText(entry: Planned): Promise<string> {
  const { content } = entry;
  if (content === undefined) return '';
  return 'bytes' in content ? content.bytes.toString('utf8') : await readFile(content.source, 'utf8');
}

const digests = new WeakMap<object, Promise<string>>();

/** SHA-256 of a planned file, undefined for folders and links. Each file is read once, however often it is asked for. */
export async function contentDigest(entry: Planned, signal?: AbortSignal): Promise<string | undefined> {
  const { content } = entry;
  if (content === undefined) return undefined;
  let digest = digests.get(content);
  if (digest === undefined) {
    digest =
      'bytes' in content
        ? Promise.resolve(sha256(content.bytes))
        : fileDigest(content.source, signal).then(({ sha256 }) => sha256);
    digests.set(content, digest);
  }
  return digest;
}

/** A file that sextant writes itself. */
export function generated(path: string, text: string, mode = 0o644): Planned {
  const bytes = Buffer.from(text);
  return {
    path,
    kind: 'file',
    mode,
    size: bytes.length,
    content: { bytes },
    disposition: 'added',
    component: 'sextant',
  };
}
