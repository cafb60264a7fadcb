import { Failure } from '../failure.ts';

export type Architecture = 'amd64' | 'arm64';

/** What a node needs of `release.json` (docs/release.md, schema version 1). */
export interface NodeRelease {
  /** Extension name: NAME.sysext.raw on the node. */
  readonly name: string;
  readonly version: string;
  readonly distribution: string;
  readonly images: readonly ReleaseImage[];
}

export interface ReleaseImage {
  readonly architecture: string;
  /** File name beside `release.json`. */
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
  readonly rootHash: string;
  readonly signed: boolean;
}

/** 16 GiB: more than any extension, less than what would make sums of bytes wrong. */
const LARGEST_IMAGE = 16 * 1024 ** 3;

export type Fields = Readonly<Record<string, unknown>>;
type Form = readonly [pattern: RegExp, expected: string];
const NAME: Form = [/^[a-z0-9][a-z0-9-]{0,63}$/, 'small letters, digits and dashes'];
const VERSION: Form = [/^[\w.+~-]{1,128}$/, 'a version'];
const FILE: Form = [/^[\w+~-][\w.+~-]{0,254}$/, 'the name of a file beside it'];
const DIGEST: Form = [/^[0-9a-f]{64}$/, '64 hexadecimal digits'];

/** Reads and checks `release.json`; `shown` names it for people. All problems are one `input` failure. */
export function parseRelease(text: string, shown: string): NodeRelease {
  const hint = 'name the release.json of a release that sextant built';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const page = /<html|<!doctype/i.test(text.slice(0, 200));
    const why = page ? ' but a web page; is there a login page between this node and the server?' : '';
    throw new Failure('input', `${shown}: not JSON${why}`, hint);
  }
  const problems: string[] = [];
  const fields = isObject(value) ? value : {};
  if (fields.schemaVersion !== 1)
    throw new Failure(
      'input',
      `${shown}: not a release description of version 1`,
      typeof fields.schemaVersion === 'number' ? 'this sextant-node is too old for it' : hint,
    );
  const release = releaseOf(fields, problems);
  if (problems.length > 0) throw new Failure('input', `${shown}: ${problems.join('; ')}`, hint);
  return release;
}

/** What a node needs of a release, out of parsed JSON; what is wrong in it is added to `problems`, each with `path` before it. */
export function releaseOf(fields: Fields, problems: string[], path = ''): NodeRelease {
  const word = (holder: Fields, name: string, [pattern, expected]: Form, at = path): string => {
    const found = holder[name];
    if (typeof found === 'string' && pattern.test(found)) return found;
    problems.push(`${at}${name}: ${expected} expected`);
    return '';
  };
  const images = Array.isArray(fields.images) ? fields.images : [];
  if (images.length === 0) problems.push(`${path}images: at least one expected`);
  return {
    name: word(fields, 'name', NAME),
    version: word(fields, 'version', VERSION),
    distribution: word(fields, 'distribution', NAME),
    images: images.map((image: unknown, index): ReleaseImage => {
      const holder = isObject(image) ? image : {};
      const at = `${path}images[${index}].`;
      const { size } = holder;
      const good = Number.isSafeInteger(size) && (size as number) > 0 && (size as number) <= LARGEST_IMAGE;
      if (!good) problems.push(`${at}size: a number of bytes up to ${LARGEST_IMAGE} expected`);
      return {
        architecture: word(holder, 'architecture', NAME, at),
        file: word(holder, 'file', FILE, at),
        size: good ? (size as number) : 0,
        sha256: word(holder, 'sha256', DIGEST, at),
        rootHash: word(holder, 'rootHash', DIGEST, at),
        signed: isObject(holder.signature),
      };
    }),
  };
}

/** The image for an architecture; `refused` where the release has none. */
export function imageFor(release: NodeRelease, architecture: Architecture, shown: string): ReleaseImage {
  const image = release.images.find((candidate) => candidate.architecture === architecture);
  if (image) return image;
  const has = release.images.map((candidate) => candidate.architecture).join(', ');
  throw new Failure(
    'refused',
    `${shown}: has no image for ${architecture}, only for ${has}`,
    'build the release for this architecture too: sextant build',
  );
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
