/**
 * True when the version that a provider's `info` reported is the one the recipe resolved to. k3s reports `v1.36.3+k3s1`, cut out of
 * `k3s --version`; k0s reports the whole output of `k0s version`, stderr included, so one of its lines has to be the version. A leading
 * "v" and a percent-encoded "+" are spelling; everything else counts. Other distributions must match in one piece.
 */
export function checkVersion(distribution: string, reported: string, expected: string): boolean {
  const wanted = spelled(expected);
  if (wanted === '') return false;
  const lines = distribution === 'k0s' ? reported.split('\n') : [reported];
  return lines.some((line) => spelled(line) === wanted);
}

function spelled(version: string): string {
  return version
    .trim()
    .replace(/%2B/gi, '+')
    .replace(/^v(?=\d)/, '');
}
