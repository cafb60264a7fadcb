import { clockText } from '../../support/clock.ts';
import { SextantError } from '../../support/errors.ts';
import { parseParagraph } from './control.ts';

/** A suite's signed index of indexes. */
export interface Release {
  readonly date: Date;
  readonly byHash: boolean;
  /** SHA-256 and size in bytes of the files below `dists/SUITE/`. */
  readonly files: ReadonlyMap<string, { readonly sha256: string; readonly size: number }>;
}

/**
 * The Release file inside an InRelease text, held against `keys` (armoured OpenPGP public keys): one good signature by one of them
 * is needed, and only the signed text is read. A suite other than the one asked for, and a file past its Valid-Until, are refused
 * as a replay would be. https://wiki.debian.org/DebianRepository/Format
 *
 * Throws `verification`.
 */
export async function readRelease(
  text: string,
  keys: string,
  suite: string,
  now: Date = new Date(),
): Promise<Release> {
  const signed = await verifiedText(text, keys, suite, now);
  const fields = parseParagraph(signed);
  const name = `InRelease of ${suite}`;
  const names = ['Suite', 'Codename'].map((field) => fields.get(field) ?? '');
  if (!names.includes(suite)) {
    throw new SextantError('verification', `${name} is about ${[...new Set(names)].join(', ')}`, {
      hint: 'the mirror serves one suite in place of another; use another mirror',
    });
  }
  const date = new Date(fields.get('Date') ?? '');
  if (Number.isNaN(date.getTime())) throw new SextantError('verification', `${name} has no Date`);
  const until = fields.get('Valid-Until');
  if (until !== undefined && !(new Date(until).getTime() > now.getTime())) {
    throw new SextantError('verification', `${name} was valid until ${until}`, {
      hint: "the mirror is out of date, or this machine's clock is wrong; use another mirror, or set the clock",
    });
  }
  const files = new Map<string, { sha256: string; size: number }>();
  for (const line of (fields.get('SHA256') ?? '').split('\n')) {
    const [, sha256, size, path] = /^([0-9a-f]{64})\s+(\d+)\s+(\S+)$/.exec(line.trim()) ?? [];
    if (sha256 && size && path) files.set(path, { sha256, size: Number(size) });
  }
  return { date, byHash: fields.get('Acquire-By-Hash') === 'yes', files };
}

async function verifiedText(text: string, keys: string, suite: string, now: Date): Promise<string> {
  const { readCleartextMessage, readKeys, verify } = await import('openpgp'); // Large; only locking needs it.
  const refuse = (why: string, cause?: unknown) =>
    new SextantError('verification', `InRelease of ${suite}: ${why}`, {
      hint: 'the mirror or the network changed the file; use another mirror',
      cause,
    });
  const verificationKeys = await readKeys({ armoredKeys: keys });
  const message = await readCleartextMessage({ cleartextMessage: text }).catch((error: unknown) => {
    throw refuse('not a signed text', error);
  });
  /** The signed text, or why no signature of it counts at a time; null is any time (openpgp's own meaning, which its types leave out). */
  const signedAt = async (date: Date | null): Promise<{ data?: string; failures: string[] }> => {
    const { data, signatures } = await verify({ message, verificationKeys, date: date as Date });
    const failures: string[] = [];
    for (const { verified, keyID } of signatures) {
      try {
        await verified;
        return { data, failures };
      } catch (error) {
        failures.push(`${keyID.toHex()}: ${(error as Error).message}`);
      }
    }
    return { failures };
  };
  const { data, failures } = await signedAt(now);
  if (data !== undefined) return data;
  if ((await signedAt(null)).data !== undefined) {
    throw new SextantError(
      'verification',
      `InRelease of ${suite}: its signature does not count at the time of this machine's clock, ${clockText(now)} (${failures.join('; ')})`,
      { hint: 'set the clock if that is not the time; if it is, the mirror is out of date: use another one' },
    );
  }
  throw refuse(`no good signature by a key of the Debian archive (${failures.join('; ') || 'no signature'})`);
}
