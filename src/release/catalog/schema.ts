import * as z from 'zod';
import { ARCHITECTURES } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { type Catalog, DOCUMENT_FORMATS } from './types.ts';

/** More than 20,000 releases need; a larger one is not read. */
export const LARGEST_CATALOG = 32 * 1024 * 1024;

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits');
const fileName = z.string().regex(/^[\w+~-][\w.+~-]{0,254}$/, 'must be the name of a file, without a folder');
// Shown to people and written into pages and scripts: no control or invisible characters.
const oneLine = z
  .string()
  .min(1)
  .max(500)
  .regex(/^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]+$/u, 'must be one line of visible characters');
const day = z.string().regex(/^\d{4}-\d\d-\d\d$/, 'must be a day like 2026-11-27');
const version = z.string().regex(/^[\w.+~-]{1,128}$/, 'must be a version');
const minorVersion = z.string().regex(/^\d+\.\d+$/, 'must be a minor version like 1.36');
const serial = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
/** A relative address stays below or beside the catalog: no scheme, no host. */
const address = oneLine.refine(
  (text) =>
    isHttpAddress(text) ||
    isRegistryAddress(text) ||
    /^(?![\\/]{2})(?![a-z][a-z0-9+.-]*:)[^\\?#]+$/i.test(text),
  "must be an http(s) address, oci://HOST/REPOSITORY:TAG, or one relative to the catalog's",
);

function isHttpAddress(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text) && !/\s/.test(text);
}

/** As sextant-node reads it; `oci+http` is a registry without TLS. */
function isRegistryAddress(text: string): boolean {
  return /^oci(?:\+http)?:\/\/[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?\/[a-z0-9]+(?:[._/-]+[a-z0-9]+)*:\w[\w.-]{0,100}$/.test(
    text,
  );
}

export const ociReference = z
  .string()
  .regex(
    /^[a-z0-9.-]+(?::\d+)?(?:\/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}$/,
    'must be a reference by digest: REGISTRY/NAME@sha256:...',
  );

const image = z.looseObject({
  architecture: z.enum(ARCHITECTURES),
  file: fileName,
  size: z
    .number()
    .int()
    .positive()
    .max(16 * 1024 ** 3),
  sha256: digest,
  rootHash: digest,
  oci: ociReference.optional(),
  signature: z.looseObject({ certificate: digest, subject: z.string().max(1000).optional() }).optional(),
  contents: digest,
});

const release = z.looseObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be lower-case letters, digits and dashes'),
  version,
  distribution: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
  standin: z.boolean(),
  address,
  description: digest,
  date: day,
  since: serial,
  kubernetes: z.looseObject({
    version,
    follows: z.array(minorVersion).max(10),
    apiServers: z.array(minorVersion).max(10),
  }),
  requires: z.looseObject({ systemd: z.number().int().min(1).max(9999), kairos: version }),
  images: z
    .array(image)
    .min(1)
    .max(ARCHITECTURES.length)
    .refine(
      (images) => new Set(images.map(({ architecture }) => architecture)).size === images.length,
      'must hold each architecture once',
    ),
  documents: z
    .array(
      z.looseObject({
        format: z.enum(DOCUMENT_FORMATS),
        architecture: z.enum(ARCHITECTURES).optional(),
        file: fileName,
        size: z
          .number()
          .int()
          .min(1)
          .max(1024 ** 3),
        sha256: digest,
      }),
    )
    .max(20)
    .optional(),
  trust: z.array(digest).max(100),
  components: z
    .array(
      z.looseObject({
        name: oneLine,
        version: oneLine,
        type: z.string(),
        standin: z.boolean(),
        license: oneLine.optional(),
      }),
    )
    .max(1000),
  activation: fileName,
  yanked: z.looseObject({ why: oneLine, date: day, since: serial }).optional(),
});

const catalog = z
  .looseObject({
    schemaVersion: z.literal(1),
    title: oneLine,
    serial,
    certificates: z.record(digest, z.string().max(64 * 1024)),
    releases: z.array(release),
  })
  .superRefine(({ serial: newest, releases, certificates }, context) => {
    const seen = new Set<string>();
    for (const [index, { name, version: text, since, yanked, trust }] of releases.entries()) {
      const key = `${name} ${text}`;
      const at = (message: string) =>
        context.addIssue({ code: 'custom', path: ['releases', index], message });
      if (seen.has(key)) at(`${key} is in it twice`);
      seen.add(key);
      if (trust.some((one) => certificates[one] === undefined))
        at('trusts a certificate that the catalog does not have');
      if (since > newest || (yanked?.since ?? 0) > newest) at("is of a later serial than the catalog's own");
    }
  });

/**
 * Reads and checks a catalog's text. Everything that is wrong is one `input` error, at most ten problems of it named by their paths;
 * `where` names the catalog for people.
 */
export function parseCatalog(text: string, where: string): Catalog {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SextantError('input', `${where}: not JSON; it is cut short, or no catalog`, {
      hint: 'fetch it again, or make it anew with `sextant catalog add`',
    });
  }
  const newer = (value as { schemaVersion?: unknown } | null)?.schemaVersion;
  if (typeof newer === 'number' && newer > 1) {
    throw new SextantError(
      'input',
      `${where}: is a catalog of format ${newer}, this sextant reads format 1`,
      {
        hint: 'use a newer sextant',
      },
    );
  }
  const result = catalog.safeParse(value);
  if (result.success) return result.data as unknown as Catalog;
  const problems = result.error.issues.map(
    ({ path, message }) => `${path.map(String).join('.') || 'catalog'}: ${message}`,
  );
  throw new SextantError('input', `${where}: not a catalog: ${problems[0]}`, {
    hint: 'restore the file, or make the catalog anew with `sextant catalog add`',
    ...(problems.length > 1 ? { details: problems.slice(0, 10).join('\n') } : {}),
  });
}
