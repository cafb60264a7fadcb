import type { Architecture } from '../download/release.ts';
import { Failure } from '../failure.ts';
import { distribution } from '../kubernetes/rules.ts';
import { compareVersions, isPrerelease } from '../kubernetes/version-order.ts';
import { minor } from '../model/datastore.ts';
import type { Refusal } from '../model/effects.ts';
import type { ListedRelease, NodeCatalog } from './parse.ts';

/** What of a node decides which releases are for it. */
export interface Chooser {
  /** Version that runs, `v1.33.4+k3s1`, and the names of the extensions it is made of. */
  readonly runs: string;
  readonly names: readonly string[];
  readonly architecture: Architecture;
  /** 0 and empty where they are not known. */
  readonly systemd: number;
  readonly kairos: string;
  /** Digests of images that were found bad here. */
  readonly bad: ReadonlySet<string>;
  /** Kubernetes' rules for this node (kubernetes/rules.ts). */
  problem(version: string): Refusal | undefined;
}

export interface Choice {
  /** Null: nothing newer is for this node. */
  readonly release: ListedRelease | null;
  /** Newer ones that were passed over and why, for people; of each minor version the newest. */
  readonly passed: readonly string[];
  /** Why what runs was yanked, or null. */
  readonly runsYanked: string | null;
}

/**
 * The release that `--to` means: an exact version, or the newest of a minor version (`1.34`), or without one the newest that Kubernetes' rules
 * allow. Never a yanked one. A pure function. Throws `input` for a version that is not listed, `refused` for one that is yanked.
 */
export function chooseRelease(
  { releases }: NodeCatalog,
  wanted: string | undefined,
  chooser: Chooser,
  shown: string,
): Choice {
  const mine = releases
    .filter((release) => isMine(release, chooser))
    .sort((left, right) => compareVersions(right.version, left.version));
  const runsYanked = mine.find(({ version }) => version === chooser.runs)?.yanked ?? null;
  if (wanted !== undefined && !isMinor(wanted))
    return { release: exactly(mine, wanted, shown), passed: [], runsYanked };
  const fitting =
    wanted === undefined ? mine : mine.filter(({ version }) => minor(version) === minor(wanted));
  const passed = new Map<string, string>();
  for (const release of fitting) {
    const { version } = release;
    if (compareVersions(version, chooser.runs) <= 0) break;
    const why = objection(release, chooser);
    if (why === undefined) return { release, passed: [...passed.values()], runsYanked };
    const key = `${minor(version)} ${why.kind}`;
    if (!passed.has(key)) passed.set(key, `${version}: ${why.text}`);
  }
  if (wanted !== undefined && fitting.every(({ version }) => version !== chooser.runs))
    throw nothingFitting(fitting, wanted, [...passed.values()], mine, shown);
  return { release: null, passed: [...passed.values()], runsYanked };
}

/** `1.34` and `v1.34`, not `1.34.1`. */
export function isMinor(wanted: string): boolean {
  return /^v?\d+\.\d+$/.test(wanted);
}

function isMine({ name, version, distribution: own }: ListedRelease, { names, runs }: Chooser): boolean {
  const running = distribution(runs);
  return names.includes(name) && (running === '' || own === running || distribution(version) === running);
}

function objection(
  { version, yanked, images, systemd, kairos }: ListedRelease,
  chooser: Chooser,
): { readonly kind: string; readonly text: string } | undefined {
  if (yanked !== null) return { kind: 'yanked', text: `yanked: ${yanked}` };
  if (isPrerelease(version)) return { kind: 'candidate', text: 'is no final release; name it to try it' };
  const broken = chooser.problem(version);
  if (broken) return { kind: 'rules', text: broken.message };
  const image = images.find(({ architecture }) => architecture === chooser.architecture);
  if (!image) return { kind: 'architecture', text: `has no image for ${chooser.architecture}` };
  if (chooser.bad.has(image.sha256))
    return { kind: 'bad', text: 'was found bad on this node; --again tries it' };
  const old = tooOld({ systemd, kairos }, chooser);
  return old === undefined ? undefined : { kind: 'old', text: old };
}

/** Why this node's operating system is too old for a release, or undefined. What is not known is no reason. */
export function tooOld(
  { systemd, kairos }: Pick<ListedRelease, 'systemd' | 'kairos'>,
  node: Pick<Chooser, 'systemd' | 'kairos'>,
): string | undefined {
  if (node.systemd > 0 && node.systemd < systemd)
    return `needs systemd ${systemd}, this node has ${node.systemd}`;
  if (node.kairos !== '' && kairos !== '' && compareVersions(node.kairos, kairos) < 0)
    return `needs Kairos ${kairos}, this node has ${node.kairos}`;
  return undefined;
}

function exactly(mine: readonly ListedRelease[], wanted: string, shown: string): ListedRelease {
  const plain = (text: string) => text.replace(/^v/, '');
  const found = mine.find(
    ({ version }) =>
      plain(version) === plain(wanted) || plain(version).replace(/\+.*$/, '') === plain(wanted),
  );
  if (!found) throw notListed(mine, wanted, shown);
  if (found.yanked === null) return found;
  throw new Failure(
    'refused',
    `${found.version} was yanked: ${found.yanked}`,
    'take another; or, if you know better, name its address: --to ADDRESS/release.json',
  );
}

function nothingFitting(
  fitting: readonly ListedRelease[],
  wanted: string,
  passed: readonly string[],
  mine: readonly ListedRelease[],
  shown: string,
): Failure {
  const [first] = passed;
  if (first !== undefined)
    return new Failure('refused', `none of ${wanted} is for this node: ${first}`, more(passed));
  const [older] = fitting;
  if (!older) return notListed(mine, wanted, shown);
  return new Failure(
    'refused',
    `the newest of ${wanted} is ${older.version}, older than what runs`,
    'go back with: sextant-node rollback; or name that version to try it',
  );
}

function more(passed: readonly string[]): string {
  return passed.length > 1
    ? passed.slice(1, 3).join('; ')
    : 'sextant-node upgrade without --to takes what is allowed';
}

function notListed(mine: readonly ListedRelease[], wanted: string, shown: string): Failure {
  const newest = mine.slice(0, 3).map(({ version }) => version);
  return new Failure(
    'input',
    `${shown}: has no release ${wanted} of what this node runs`,
    newest.length === 0 ? 'it has none of that extension at all' : `the newest are ${newest.join(', ')}`,
  );
}
