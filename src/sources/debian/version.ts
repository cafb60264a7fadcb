/** Characters sort "~" < end of part < letters < everything else (Debian Policy 5.6.12, "Version"). */
function weight(character: string | undefined): number {
  if (character === '~') return -1;
  if (character === undefined || /[0-9]/.test(character)) return 0;
  const code = character.charCodeAt(0);
  return /[A-Za-z]/.test(character) ? code : code + 256;
}

function compareNumbers(a: string, b: string): number {
  // As text, because a number may have more digits than a double holds.
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Compares an upstream version or a revision: runs of other characters and runs of digits in turn. */
function compareParts(a: string, b: string): number {
  const next = /^([^0-9]*)([0-9]*)/;
  let [left, right] = [a, b];
  while (left !== '' || right !== '') {
    const [wholeLeft = '', textLeft = '', digitsLeft = ''] = next.exec(left) ?? [];
    const [wholeRight = '', textRight = '', digitsRight = ''] = next.exec(right) ?? [];
    for (let at = 0; at < Math.max(textLeft.length, textRight.length); at += 1) {
      const order = weight(textLeft[at]) - weight(textRight[at]);
      if (order !== 0) return order;
    }
    const order = compareNumbers(digitsLeft, digitsRight);
    if (order !== 0) return order;
    left = left.slice(wholeLeft.length);
    right = right.slice(wholeRight.length);
  }
  return 0;
}

function split(version: string): { epoch: string; upstream: string; revision: string } {
  const [, epoch = '0', rest = version] = /^([0-9]+):(.*)$/s.exec(version) ?? [];
  const dash = rest.lastIndexOf('-');
  // An absent revision counts as "0" (same section of the policy).
  return dash === -1
    ? { epoch, upstream: rest, revision: '0' }
    : { epoch, upstream: rest.slice(0, dash), revision: rest.slice(dash + 1) };
}

/** Negative, zero or positive as Debian package version `a` is earlier than, equal to or later than `b` (Debian Policy 5.6.12). */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  return (
    compareNumbers(left.epoch, right.epoch) ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  );
}

/** Relations a dependency may ask for (Debian Policy 7.1). */
export type Relation = '<<' | '<=' | '=' | '>=' | '>>';

/** Whether `version` stands in `relation` to `bound`. */
export function satisfies(version: string, relation: Relation, bound: string): boolean {
  const order = compareVersions(version, bound);
  if (relation === '<<') return order < 0;
  if (relation === '<=') return order <= 0;
  if (relation === '=') return order === 0;
  return relation === '>=' ? order >= 0 : order > 0;
}
