import { isAbsolute, join, relative } from 'node:path';
import { GO_PROXY, parseModuleAddress, proxyPath } from '../../sources/go-module/index.ts';
import type { Mirror } from '../../sources/types.ts';
import { SextantError } from '../../support/errors.ts';
import { redact } from '../../support/http.ts';

/** File of an address that ends in a slash: a folder cannot be one. */
const ROOT_FILE = '_root';

/**
 * Path of a locked address in a mirror's folder, relative: SCHEME/HOST/PATH with the address' escapes undone, as any web server that is
 * asked for it undoes them; Go modules as a module proxy lays them. Queries are no part of it. Throws `input` for an address that would
 * lead out of the folder.
 */
export function mirrorPath(url: string): string {
  const module = parseModuleAddress(url);
  if (module !== undefined) return `go/${proxyPath(module)}`;
  const refuse = (why: string) =>
    new SextantError('input', `${redact(url)}: cannot be mirrored: ${why}`, {
      hint: 'the lock was edited by hand, or its source has strange addresses; write it again with `sextant lock --update`',
    });
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw refuse('not an http or https address');
  const { protocol, host, pathname } = new URL(url);
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    throw refuse('its escapes are malformed');
  }
  const parts = path.slice(1).split('/');
  const names = parts.at(-1) === '' ? [...parts.slice(0, -1), ROOT_FILE] : parts;
  if (names.some((part) => part === '' || part === '.' || part === '..' || /[\0\\]/.test(part))) {
    throw refuse('its path could lead elsewhere');
  }
  return [protocol.slice(0, -1), host.replaceAll(':', '_'), ...names].join('/');
}

/**
 * Prefix rewrites that send locked addresses to a mirror's folder served at `base`: one for each host, and one for an address that ends in
 * a slash, whose file is named otherwise. Sorted. Pure.
 */
export function mirrorRules(urls: readonly string[], base: string): Mirror[] {
  const root = base.replace(/\/+$/, '');
  const rules = new Map<string, string>();
  for (const url of urls) {
    if (parseModuleAddress(url) !== undefined) {
      rules.set(GO_PROXY, `${root}/go`);
      continue;
    }
    const { origin } = new URL(url);
    rules.set(`${origin}/`, `${root}/${mirrorPath(`${origin}/`).replace(`/${ROOT_FILE}`, '')}/`);
  }
  const folders = urls.filter(
    (url) => parseModuleAddress(url) === undefined && new URL(url).pathname.endsWith('/'),
  );
  for (const folder of folders) {
    // What lies below such an address keeps its own place: a longer prefix wins.
    for (const url of urls) {
      if (url !== folder && url.startsWith(folder)) rules.set(url, addressOf(root, mirrorPath(url)));
    }
    rules.set(folder, addressOf(root, mirrorPath(folder)));
  }
  return [...rules].sort(([a], [b]) => (a < b ? -1 : 1)).map(([from, to]) => ({ from, to }));
}

/** Address of a file of a mirror's folder. */
export function addressOf(base: string, path: string): string {
  return `${base.replace(/\/+$/, '')}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** The deepest folder that holds all of these absolute paths. */
export function commonFolder(paths: readonly string[]): string {
  const [first = '/', ...rest] = paths;
  let common = first;
  for (const path of rest) {
    while (!isInside(path, common)) common = join(common, '..');
  }
  return common;
}

function isInside(path: string, folder: string): boolean {
  const between = relative(folder, path);
  return between === '' || (!between.startsWith('..') && !isAbsolute(between));
}
