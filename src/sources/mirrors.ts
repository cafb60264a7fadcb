import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { redact } from '../support/http.ts';
import type { Mirror } from './types.ts';

/** The mirror that stands for `url`: the one whose `from` is its longest prefix. */
export function mirrorOf(url: string, mirrors: readonly Mirror[]): Mirror | undefined {
  let best: Mirror | undefined;
  for (const mirror of mirrors) {
    if (url.startsWith(mirror.from) && mirror.from.length > (best?.from.length ?? -1)) best = mirror;
  }
  return best;
}

/** Where the bytes of `url` are asked for: at its mirror, else at the address itself. Of a registry it is the repository: files are in it by their digests. */
export function mirrored(url: string, mirrors: readonly Mirror[]): string {
  const mirror = mirrorOf(url, mirrors);
  if (mirror === undefined) return url;
  return isRegistry(mirror.to) ? mirror.to : mirror.to + url.slice(mirror.from.length);
}

/** Whether a mirror is a repository of a registry. */
export function isRegistry(to: string): boolean {
  return to.startsWith('oci:');
}

/** The local path of an address that is a file (file://... or an absolute path), else undefined. */
export function localPath(address: string): string | undefined {
  if (address.startsWith('file://')) return fileURLToPath(address);
  // A mirrored path keeps the address' percent escapes ("v1.36.3%2Bk3s1"); on a disk they are the characters themselves.
  return isAbsolute(address) ? decodeSafely(address) : undefined;
}

function decodeSafely(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** "URL", or "URL (asked at MIRROR)" where a mirror is in use; without secrets. */
export function addressText(url: string, address: string): string {
  return url === address ? redact(url) : `${redact(url)} (asked at ${redact(address)})`;
}

/** Last part of an address' path, decoded: the file's name. */
export function lastPart(url: string): string {
  if (!URL.canParse(url)) return url.split('/').at(-1) || url;
  const { pathname, host } = new URL(url);
  const last = pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last) || host;
  } catch {
    return last;
  }
}
