import semver from 'semver';

/**
 * Order of release tags: Semantic Versioning, then the build part by its numbers, which distributions count up (k3s: +k3s10 is newer
 * than +k3s9; k0s: +k0s.1 than +k0s.0). Tags that are no versions come first, by their text.
 */
export function compareVersions(a: string, b: string): number {
  const left = semver.parse(a);
  const right = semver.parse(b);
  if (left === null || right === null) {
    if (left === right) return natural(a, b);
    return left === null ? -1 : 1;
  }
  return left.compare(right) || natural(left.build.join('.'), right.build.join('.'));
}

/** Text order in which runs of digits count as numbers. */
function natural(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const [x, y] = [left[i], right[i]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    if (x === y) continue;
    if (/^\d/.test(x) && /^\d/.test(y) && BigInt(x) !== BigInt(y)) return BigInt(x) < BigInt(y) ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}

export type VersionSpec =
  | { readonly kind: 'latest' }
  | { readonly kind: 'range'; readonly range: string; readonly prereleases: boolean }
  | { readonly kind: 'exact'; readonly tag: string };

/** What a recipe's version asks for: "latest", a range (^1.2, ~1.36, >=1.2 <2, 1.x), and anything else is a tag. */
export function parseVersionSpec(text: string): VersionSpec {
  const trimmed = text.trim();
  if (trimmed === 'latest') return { kind: 'latest' };
  const looksLikeRange = /^[\^~<>=*]|\s|\|\||\.[xX*](?:\.|$)/.test(trimmed);
  const range = looksLikeRange ? semver.validRange(trimmed) : null;
  if (range === null) return { kind: 'exact', tag: text };
  return { kind: 'range', range, prereleases: /\d-[0-9A-Za-z]/.test(range) };
}

export interface ReleaseTag {
  readonly tag: string;
  readonly prerelease: boolean;
}

/** The newest tag in a range; pre-releases count only where the range itself names one. */
export function newestInRange(
  releases: readonly ReleaseTag[],
  range: string,
  prereleases: boolean,
): string | undefined {
  return releases
    .filter((release) => prereleases || !release.prerelease)
    .map(({ tag }) => tag)
    .filter((tag) => semver.satisfies(tag, range))
    .sort(compareVersions)
    .at(-1);
}

/** Up to `count` existing tags around one that does not exist, newest first: what a person may have meant. */
export function nearestVersions(tags: readonly string[], wanted: string, count = 5): string[] {
  const sorted = [...new Set(tags)].sort(compareVersions);
  const coerced = semver.parse(wanted) === null ? semver.coerce(wanted)?.version : wanted;
  if (coerced === undefined) return sorted.slice(-count).reverse();
  const older = sorted.filter((tag) => compareVersions(tag, coerced) <= 0);
  const from = Math.max(0, Math.min(older.length - Math.ceil(count / 2), sorted.length - count));
  return sorted.slice(from, from + count).reverse();
}
