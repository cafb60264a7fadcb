import { type Fields, isObject, type NodeRelease, releaseOf } from '../download/release.ts';
import { Failure } from '../failure.ts';

/** What a node needs of a release in `sextant-catalog.json` (docs/catalog.md, schema version 1). */
export interface ListedRelease extends NodeRelease {
  /** Folder of its files: an http(s) address, oci://HOST/REPOSITORY:TAG, or relative to the catalog's. */
  readonly address: string;
  /** Oldest systemd and Kairos it is for; 0 and empty where it does not say. */
  readonly systemd: number;
  readonly kairos: string;
  /** Why nobody should install it any more, or null. */
  readonly yanked: string | null;
}

export interface NodeCatalog {
  /** Grows with every change. */
  readonly serial: number;
  readonly releases: readonly ListedRelease[];
}

/** Reads and checks a catalog; `shown` names it for people. What is wrong is one `input` failure that names the first problems. */
export function parseCatalog(text: string, shown: string): NodeCatalog {
  const hint =
    'name the sextant-catalog.json that `sextant catalog` wrote; fetch it again if it was cut short';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const page = /<html|<!doctype/i.test(text.slice(0, 200));
    const why = page
      ? 'a web page; is there a login page between this node and the server?'
      : 'not JSON; it is cut short, or no catalog';
    throw new Failure('input', `${shown}: ${why}`, hint);
  }
  const fields = isObject(value) ? value : {};
  if (fields.schemaVersion !== 1)
    throw new Failure(
      'input',
      `${shown}: not a catalog of version 1`,
      typeof fields.schemaVersion === 'number' ? 'this sextant-node is too old for it' : hint,
    );
  const problems: string[] = [];
  const { serial } = fields;
  if (!Number.isSafeInteger(serial) || (serial as number) < 1)
    problems.push('serial: a whole number expected');
  if (!Array.isArray(fields.releases)) problems.push('releases: a list expected');
  const given = Array.isArray(fields.releases) ? fields.releases : [];
  const releases = given.map((release: unknown, index) => listed(release, `releases[${index}].`, problems));
  if (problems.length > 0)
    throw new Failure('input', `${shown}: not a catalog: ${problems.slice(0, 3).join('; ')}`, hint);
  return { serial: serial as number, releases };
}

function listed(value: unknown, path: string, problems: string[]): ListedRelease {
  const fields: Fields = isObject(value) ? value : {};
  const { address } = fields;
  const requires = isObject(fields.requires) ? fields.requires : {};
  const { systemd = 0, kairos = '' } = requires;
  const good = typeof address === 'string' && isPlace(address);
  if (!good)
    problems.push(`${path}address: an http(s) address, oci://HOST/REPOSITORY:TAG or a relative one expected`);
  if (!Number.isSafeInteger(systemd)) problems.push(`${path}requires.systemd: a whole number expected`);
  if (typeof kairos !== 'string') problems.push(`${path}requires.kairos: a version expected`);
  return {
    ...releaseOf(fields, problems, path),
    address: good ? address : '',
    systemd: systemd as number,
    kairos: String(kairos),
    yanked: fields.yanked === undefined || fields.yanked === null ? null : reason(fields.yanked),
  };
}

function isPlace(address: string): boolean {
  if (/^https?:\/\/[^\s/?#]+(\/[^\s?#]*)?$/.test(address)) return true;
  if (/^oci(\+http)?:\/\/[^\s/:]+(:\d{1,5})?\/[a-z0-9]+([._/-]+[a-z0-9]+)*:\w[\w.-]{0,100}$/.test(address))
    return true;
  return /^(?![\\/])(?![a-z][a-z0-9+.-]*:)[^\s\\?#]+$/i.test(address);
}

/** Whatever it says: a mark that cannot be read is a mark all the same. */
function reason(yanked: unknown): string {
  const why = isObject(yanked) ? yanked.why : undefined;
  return typeof why === 'string' && why !== '' ? why.slice(0, 500) : 'no reason is given';
}
