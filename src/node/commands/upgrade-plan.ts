import { type KnownRelease, type ReleasePlace, releasePlace, sameVersion } from '../download/address.ts';
import { curlText } from '../download/curl.ts';
import { architectureOf } from '../download/machine.ts';
import { type ImageSource, originFile } from '../download/obtain.ts';
import { blobAddress, registryRelease } from '../download/registry.ts';
import { imageFor, type NodeRelease, parseRelease, type ReleaseImage } from '../download/release.ts';
import { shownAddress } from '../download/shown-address.ts';
import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { clusterVersion, role } from '../kubernetes/api.ts';
import { datastoreKindNow } from '../kubernetes/datastore-kind.ts';
import { versionProblem } from '../kubernetes/rules.ts';
import { snapshotSize } from '../kubernetes/snapshot.ts';
import { generation } from '../model/change.ts';
import { minor } from '../model/datastore.ts';
import type { Refusal } from '../model/effects.ts';
import type { DatastoreKind, ExtensionFile, Generation, Records } from '../model/types.ts';
import type { Session } from '../session.ts';

/** What was asked for on the command line. */
export interface UpgradeWish {
  readonly to: string | undefined;
  /** Version of the cluster's API server, where it cannot be asked. */
  readonly cluster: string | undefined;
  /** A snapshot also where the minor version stays. */
  readonly snapshot: boolean;
  /** Where a catalog has chosen: the release and its place. */
  readonly listed?: { readonly release: NodeRelease; readonly place: ReleasePlace };
}

/** What an upgrade will do, before anything of it is done. */
export interface UpgradePlan {
  readonly from: Generation;
  readonly place: ReleasePlace;
  readonly release: NodeRelease;
  readonly image: ReleaseImage;
  readonly source: ImageSource;
  /** The new one, and the whole set with it in the old one's place. */
  readonly file: ExtensionFile;
  readonly files: readonly ExtensionFile[];
  /** Another minor version: the datastore may be changed in a way that an older one cannot read. */
  readonly crosses: boolean;
  readonly datastore: DatastoreKind;
  /** Bytes of the snapshot that will be taken, or null for none. */
  readonly snapshot: number | null;
}

const RELEASE_LIMIT = 4 * 1024 * 1024;

/** Reads the release and holds it against this node and its cluster; changes nothing. Throws what stands in the way. */
export function planUpgrade(session: Session, wish: UpgradeWish): UpgradePlan {
  const { host, records } = session;
  const from = replaced(records);
  const { listed } = wish;
  const place = listed?.place ?? absolute(host, releasePlace(wish.to, knownRelease(host, from)));
  const release = listed?.release ?? readRelease(host, place);
  const asked = wish.to;
  if (
    listed === undefined &&
    asked !== undefined &&
    /^v?\d+\.\d+\.\d/.test(asked) &&
    !sameVersion(asked, release.version)
  )
    throw new Failure(
      'input',
      `${shownAddress(place.release)}: is a release of ${release.version}, not of ${asked}`,
      'name its address: --to https://HOST/FOLDER/release.json',
    );
  const image = imageFor(release, architectureOf(host), shownAddress(place.release));
  const file = { name: release.name, sha256: image.sha256, rootHash: image.rootHash, size: image.size };
  const files = withFile(from, file, place);
  const problem = versionRules(session, from, wish.cluster)(release.version);
  if (problem) throw new Failure('refused', problem.message, problem.hint);
  const datastore = datastoreKindNow(host, session.observation.datastore);
  const crosses = minor(release.version) > minor(records.datastore.version || from.kubernetes);
  const takes = datastore === 'single' && (crosses || wish.snapshot);
  const source = { kind: place.kind, place: imagePlace(place, image) };
  const snapshot = takes ? snapshotSize(host) : null;
  return { from, place, release, image, source, file, files, crosses, datastore, snapshot };
}

/** Address or path of an image of a release. */
function imagePlace({ kind, release, image: known }: ReleasePlace, image: ReleaseImage): string {
  if (known !== undefined) return known;
  if (kind === 'registry') return blobAddress(release, image.sha256);
  const folder = release.replace(/[^/?]*(\?.*)?$/s, '');
  const query = /\?.*$/s.exec(release)?.[0] ?? '';
  return `${folder}${image.file}${query}`;
}

/** The pair that the new one follows: what runs, else the newest good one. */
export function replaced(records: Records): Generation {
  const good = records.generations.filter(({ state }) => state === 'good');
  const newest = good.sort((left, right) => right.turn - left.turn)[0];
  const pair = generation(records, records.boot?.generation ?? null) ?? newest ?? records.generations.at(-1);
  if (pair) return pair;
  throw new Failure(
    'input',
    'no generation is recorded',
    'take this node up again: sextant-node retire, then adopt',
  );
}

function knownRelease(host: Host, from: Generation): KnownRelease | undefined {
  for (const file of from.files) {
    const url = host.readText(originFile(file))?.trim();
    if (url) return { url, version: from.kubernetes };
  }
  return undefined;
}

/** A path as it is seen from where the command was given. */
function absolute(host: Host, place: ReleasePlace): ReleasePlace {
  if (place.kind !== 'file' || place.release.startsWith('/')) return place;
  return { kind: 'file', release: `${host.readlink('/proc/self/cwd') ?? ''}/${place.release}` };
}

function readRelease(host: Host, { kind, release }: ReleasePlace): NodeRelease {
  if (kind === 'registry') return parseRelease(registryRelease(host, release), release);
  if (kind === 'address') return parseRelease(curlText(host, release, RELEASE_LIMIT), shownAddress(release));
  const text = host.readText(release, RELEASE_LIMIT);
  if (text === undefined) throw new Failure('input', `${release}: there is no such file`, 'check the path');
  return parseRelease(text, release);
}

function withFile(from: Generation, file: ExtensionFile, place: ReleasePlace): readonly ExtensionFile[] {
  const names = from.files.map(({ name }) => name);
  if (!names.includes(file.name))
    throw new Failure(
      'refused',
      `${shownAddress(place.release)}: is a release of the extension ${file.name}; this node runs ${names.join(', ')}`,
      'name a release of that extension',
    );
  return from.files.map((old) => (old.name === file.name ? file : old));
}

/** Kubernetes' rules for what may follow on this node. An agent's cluster is asked for its version once, when the first one is held against them. */
export function versionRules(
  { host, records }: Session,
  from: Generation,
  given: string | undefined,
): (to: string) => Refusal | undefined {
  const agent = (role(host) ?? records.datastore.kind) === 'agent';
  const base = {
    from: agent ? from.kubernetes : records.datastore.version || from.kubernetes,
    role: agent ? ('agent' as const) : ('server' as const),
    datastore: agent || records.datastore.kind === 'none' ? '' : records.datastore.version,
  };
  let cluster: string | null | undefined;
  return (to) => {
    if (cluster === undefined) cluster = agent ? (given ?? clusterVersion(host)) : null;
    return versionProblem({ ...base, to, cluster });
  };
}
