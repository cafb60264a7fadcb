import { SextantError } from '../support/errors.ts';

export interface ChecksumEntry {
  /** File name as the list writes it, without a leading "*" or "./". */
  readonly name: string;
  /** Lower-case hexadecimal SHA-256. */
  readonly sha256: string;
}

// GNU coreutils: "DIGEST  NAME" or "DIGEST *NAME", a leading "\" says that the name is escaped. Some lists have one space or a tab.
const GNU = /^(\\?)([0-9a-fA-F]{64})(?: [ *]|[ \t]+\*?)(.+)$/;
// BSD and OpenSSL: "SHA256 (NAME) = DIGEST", "SHA2-256(NAME)= DIGEST".
const BSD = /^(\\?)SHA2?-?256 ?\((.+)\) ?= ?([0-9a-fA-F]{64})$/i;
const BSD_OTHER = /^\\?(?:SHA|MD|BLAKE|RMD)[\w/-]* ?\(.+\) ?= ?[0-9a-fA-F]+$/i;
const BARE = /^[0-9a-fA-F]{64}$/;

/**
 * Parses a file of SHA-256 sums: `sha256sum` in text or binary mode, BSD style, as goreleaser, k3s and k0s publish them. Empty
 * lines, "#" comments and BSD lines of other digests are passed over; a file that is one bare digest gives one entry with the name
 * "". Throws `verification` naming `address` and the line for anything else: half a list must not pass for a whole one.
 */
export function parseChecksums(text: string, address: string): ChecksumEntry[] {
  const lines = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .map((line, index) => ({ line: line.trimEnd(), number: index + 1 }))
    .filter(({ line }) => line.trim() !== '' && !line.startsWith('#'));
  const [first] = lines;
  if (lines.length === 1 && first !== undefined && BARE.test(first.line.trim())) {
    return [{ name: '', sha256: first.line.trim().toLowerCase() }];
  }
  const entries: ChecksumEntry[] = [];
  for (const { line, number } of lines) {
    const gnu = GNU.exec(line);
    const bsd = gnu === null ? BSD.exec(line) : null;
    const [escaped, name, digest] = gnu !== null ? [gnu[1], gnu[3], gnu[2]] : [bsd?.[1], bsd?.[2], bsd?.[3]];
    if (name !== undefined && digest !== undefined) {
      const plain = escaped === '\\' ? unescapeName(name) : name;
      entries.push({ name: plain.replace(/^\.\//, ''), sha256: digest.toLowerCase() });
    } else if (!BSD_OTHER.test(line)) {
      const html = /^\s*</.test(line);
      throw new SextantError(
        'verification',
        `${address}, line ${number}: not a line of SHA-256 sums: ${JSON.stringify(line.slice(0, 80))}`,
        {
          hint: html
            ? 'the server answered with an HTML page; open the address in a browser'
            : 'expected "DIGEST  NAME" on every line; check that the address is that of a SHA-256 list',
        },
      );
    }
  }
  return entries;
}

/**
 * The SHA-256 that a list of sums gives for a file name; a list with folders in its names is matched by the last part. Throws
 * `verification` when the name is not listed, or is listed twice with different digests.
 */
export function findChecksum(text: string, name: string, address: string): string {
  const entries = parseChecksums(text, address);
  const bare = entries.length === 1 && entries[0]?.name === '' ? entries : [];
  const exact = entries.filter((entry) => entry.name === name);
  const byLastPart = entries.filter((entry) => entry.name.split('/').at(-1) === name);
  const found = [bare, exact, byLastPart].find((list) => list.length > 0) ?? [];
  const digests = [...new Set(found.map(({ sha256 }) => sha256))];
  const [digest] = digests;
  if (digest === undefined) {
    const names = entries.map((entry) => entry.name);
    const shown = names.slice(0, 8).join(', ') + (names.length > 8 ? ', ...' : '');
    throw new SextantError('verification', `${address}: ${name} is not listed`, {
      hint: names.length === 0 ? 'the list is empty' : `check the asset's name; the list has: ${shown}`,
    });
  }
  if (digests.length > 1) {
    throw new SextantError(
      'verification',
      `${address}: ${name} is listed with ${digests.length} different digests`,
      {
        hint: 'the list contradicts itself and proves nothing; report it upstream',
      },
    );
  }
  return digest;
}

function unescapeName(name: string): string {
  return name.replace(/\\([\\nr])/g, (_, letter: string) => ({ '\\': '\\', n: '\n', r: '\r' })[letter] ?? '');
}
