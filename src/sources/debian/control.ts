import { SextantError } from '../../support/errors.ts';
import type { Relation } from './version.ts';

/** One name a dependency can be met by: a package, or something that packages provide. */
export interface Alternative {
  readonly name: string;
  readonly constraint?: { readonly relation: Relation; readonly version: string };
}

/** What the closure and the download need of one package of an index. */
export interface Package {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Path in the archive: `pool/main/...`. */
  readonly filename: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  /** Pre-Depends and Depends as written. */
  readonly depends: string;
  /** Provides as written. */
  readonly provides: string;
}

const ALTERNATIVE =
  /^([a-z0-9][a-z0-9.+-]*)(?::[a-z0-9-]+)?(?:\s*\(\s*(<<|<=|=|>=|>>)\s*([^\s)]+)\s*\))?(?:\s*\[[^\]]*\])?$/;

/**
 * A dependency field: what must all hold, each as a list of alternatives (Debian Policy 7.1). An architecture qualifier (`:any`) is
 * dropped: everything here is of one architecture. Throws `input` for what is not a dependency.
 */
export function parseDependencies(field: string): Alternative[][] {
  return field
    .split(',')
    .map((group) => group.trim())
    .filter((group) => group !== '')
    .map((group) =>
      group.split('|').map((text) => {
        const [, name, relation, version] = ALTERNATIVE.exec(text.trim()) ?? [];
        if (name === undefined) {
          throw new SextantError('input', `not a Debian dependency: ${JSON.stringify(text.trim())}`, {
            hint: 'the package index is damaged; try again, or use another mirror',
          });
        }
        if (relation === undefined || version === undefined) return { name };
        return { name, constraint: { relation: relation as Relation, version } };
      }),
    );
}

/** The fields of one paragraph of a control file, continuation lines joined by newlines (deb822(5)). */
export function parseParagraph(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  let last: string | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('#') || line === '') continue;
    if (line.startsWith(' ') || line.startsWith('\t')) {
      if (last !== undefined) fields.set(last, `${fields.get(last)}\n${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon < 1) throw malformed(`line ${JSON.stringify(line.slice(0, 80))}`);
    last = line.slice(0, colon);
    fields.set(last, line.slice(colon + 1).trim());
  }
  return fields;
}

const malformed = (what: string) =>
  new SextantError('input', `malformed Debian control data: ${what}`, {
    hint: 'the package index is damaged; try again, or use another mirror',
  });

const join = (...fields: (string | undefined)[]) => fields.filter(Boolean).join(', ');

/** The packages of a Packages file. Throws `input` where a package lacks a field that a download needs. */
export function parsePackages(text: string): Package[] {
  const packages: Package[] = [];
  for (const paragraph of text.split('\n\n')) {
    if (paragraph.trim() === '') continue;
    const fields = parseParagraph(paragraph);
    const need = (name: string): string => {
      const value = fields.get(name);
      if (value === undefined || value === '') throw malformed(`${fields.get('Package')} has no ${name}`);
      return value;
    };
    const size = Number(need('Size'));
    const sha256 = need('SHA256');
    const filename = need('Filename');
    if (!Number.isSafeInteger(size) || size < 0 || !/^[0-9a-f]{64}$/.test(sha256)) {
      throw malformed(`size or SHA256 of ${fields.get('Package')}`);
    }
    if (!/^pool\/[\w.+~%/-]+\.deb$/.test(filename) || filename.includes('..')) {
      throw malformed(`Filename of ${fields.get('Package')}`);
    }
    packages.push({
      name: need('Package'),
      version: need('Version'),
      architecture: need('Architecture'),
      filename,
      size,
      sha256,
      depends: join(fields.get('Pre-Depends'), fields.get('Depends')),
      provides: fields.get('Provides') ?? '',
    });
  }
  return packages;
}
