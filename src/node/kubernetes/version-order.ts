interface Parts {
  readonly numbers: readonly number[];
  readonly prerelease: string;
  readonly build: string;
}

/**
 * Orders versions as the distributions write them, `v1.33.4+k3s1`: negative when `left` is the older one. As Semantic Versioning 2.0.0 (11)
 * has it, but what follows the plus counts too, its numbers by value: `+k3s2` is newer than `+k3s1`, `+k3s10` than `+k3s9`. What is no
 * version is older than everything.
 */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [parts(left), parts(right)];
  if (!a || !b) return (a ? 1 : 0) - (b ? 1 : 0) || natural(left, right);
  for (const [index, number] of a.numbers.entries()) {
    const difference = number - (b.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  if (a.prerelease !== b.prerelease) {
    if (a.prerelease === '') return 1;
    if (b.prerelease === '') return -1;
    return natural(a.prerelease, b.prerelease);
  }
  return natural(a.build, b.build);
}

/** True for `v1.34.0-rc1+k3s1` and the like. */
export function isPrerelease(version: string): boolean {
  return (parts(version)?.prerelease ?? '') !== '';
}

function parts(version: string): Parts | undefined {
  const match = /^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([^+]*))?(?:\+(.*))?$/.exec(version);
  if (!match) return undefined;
  const [, major, minor, patch, prerelease = '', build = ''] = match;
  return { numbers: [major, minor, patch].map(Number), prerelease, build };
}

/** Runs of digits by their value, the rest by code unit. */
function natural(left: string, right: string): number {
  const pieces = (text: string): string[] => text.match(/\d+|\D+/g) ?? [];
  const [a, b] = [pieces(left), pieces(right)];
  for (const [index, piece] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    if (piece === other) continue;
    const digits = /^\d/.test(piece) && /^\d/.test(other);
    if (!digits) return piece < other ? -1 : 1;
    const difference = Number(piece) - Number(other);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
