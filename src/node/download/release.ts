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

type Fields = Readonly<Record<string, unknown>>;

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
  const text1 = (holder: Fields, name: string, pattern: RegExp, path: string): string => {
    const found = holder[name];
    if (typeof found === 'string' && pattern.test(found)) return found;
    problems.push(`${path}${name}: ${String(pattern)} expected`);
    return '';
  };
  const images = Array.isArray(fields.images) ? fields.images : [];
  if (images.length === 0) problems.push('images: at least one expected');
  const release = {
    name: text1(fields, 'name', /^[a-z0-9][a-z0-9-]{0,63}$/, ''),
    version: text1(fields, 'version', /^[\w.+~-]{1,128}$/, ''),
    distribution: text1(fields, 'distribution', /^[a-z0-9-]{1,64}$/, ''),
    images: images.map((image: unknown, index): ReleaseImage => {
      const holder = isObject(image) ? image : {};
      const path = `images[${index}].`;
      const { size } = holder;
      const good = Number.isSafeInteger(size) && (size as number) > 0 && (size as number) <= LARGEST_IMAGE;
      if (!good) problems.push(`${path}size: a number of bytes up to ${LARGEST_IMAGE} expected`);
      return {
        architecture: text1(holder, 'architecture', /^[a-z0-9]{1,16}$/, path),
        file: text1(holder, 'file', /^[\w+~-][\w.+~-]{0,254}$/, path),
        size: good ? (size as number) : 0,
        sha256: text1(holder, 'sha256', /^[0-9a-f]{64}$/, path),
        rootHash: text1(holder, 'rootHash', /^[0-9a-f]{64}$/, path),
        signed: isObject(holder.signature),
      };
    }),
  };
  if (problems.length > 0) throw new Failure('input', `${shown}: ${problems.join('; ')}`, hint);
  return release;
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

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
