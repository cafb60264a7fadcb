import { z } from 'zod';
import { SextantError } from '../../support/errors.ts';
import type { Repository } from './client.ts';
import { type Descriptor, type Document, descriptorOf, indexDocument } from './documents.ts';
import { putManifest, readManifest } from './manifests.ts';

// OCI distribution specification 1.1, "Listing Referrers" and "Referrers Tag Schema": a registry without the API is told of attached manifests by
// an index under a tag made of the subject's digest, which each publisher reads, extends and writes back.

const listed = z.object({ manifests: z.array(z.looseObject({ digest: z.string() })) });
/** Another publisher may write between our reading and writing; it is seen by reading again. */
const ATTEMPTS = 6;

/** Tag of the index of what is attached to a digest. */
export function referrersTag(digest: string): string {
  return digest.replace(':', '-');
}

/**
 * Puts an attached manifest, and says so in the index of the referrers' tag where the registry keeps no list of its own (it answers with
 * OCI-Subject where it does). Resolves to whether it keeps one.
 */
export async function attach(repository: Repository, document: Document): Promise<boolean> {
  const { headers } = await putManifest(repository, document, document.digest);
  return headers['oci-subject'] !== undefined;
}

/** Descriptors listed in the index of the referrers' tag; none where there is no such tag, or something else under it. */
async function fallbackList(repository: Repository, subject: string): Promise<Descriptor[]> {
  const found = await readManifest(repository, referrersTag(subject));
  if (found === undefined) return [];
  try {
    return listed.parse(JSON.parse(found.text)).manifests as unknown as Descriptor[];
  } catch {
    throw new SextantError(
      'input',
      `${repository.name}:${referrersTag(subject)}: not a list of what is attached to ${subject}`,
      { hint: 'remove that tag; it is made anew' },
    );
  }
}

/** Whether the registry's own list, or that of the tag, names all of these. */
export async function areListed(repository: Repository, documents: readonly Document[]): Promise<boolean> {
  for (const [subject, wanted] of bySubject(documents)) {
    const known = new Set(
      ((await apiList(repository, subject)) ?? (await fallbackList(repository, subject))).map(
        ({ digest }) => digest,
      ),
    );
    if (wanted.some(({ digest }) => !known.has(digest))) return false;
  }
  return true;
}

async function apiList(repository: Repository, subject: string): Promise<Descriptor[] | undefined> {
  const { status, text } = await repository.request({
    method: 'GET',
    to: `/referrers/${subject}`,
    accept: [200, 400, 404, 405],
    what: `list of what is attached to ${subject}`,
  });
  if (status !== 200) return undefined;
  try {
    return listed.parse(JSON.parse(text)).manifests as unknown as Descriptor[];
  } catch {
    return undefined;
  }
}

/** Adds what is not there yet to the lists under the referrers' tags, also beside another publisher. */
export async function listByTag(repository: Repository, documents: readonly Document[]): Promise<void> {
  for (const [subject, wanted] of bySubject(documents)) {
    for (let attempt = 1; ; attempt += 1) {
      const known = await fallbackList(repository, subject);
      const missing = wanted.filter(({ digest }) => !known.some((each) => each.digest === digest));
      if (missing.length === 0) break;
      if (attempt > ATTEMPTS) {
        throw new SextantError(
          'network',
          `${repository.name}:${referrersTag(subject)}: changed by others again and again`,
          { hint: 'let other publishers finish, then run the same command again' },
        );
      }
      if (attempt > 1) {
        const { clock, signal } = repository.context;
        await clock.sleep(100 * attempt * (1 + clock.random()), signal);
      }
      const manifests = [
        ...known,
        ...missing.map((document) => ({
          ...descriptorOf(document),
          ...(document.annotations === undefined ? {} : { annotations: document.annotations }),
        })),
      ];
      const index = indexDocument(`list of what is attached to ${subject}`, { manifests });
      await putManifest(repository, index, referrersTag(subject));
    }
  }
}

function bySubject(documents: readonly Document[]): Map<string, Document[]> {
  const found = new Map<string, Document[]>();
  for (const document of documents) {
    const subject = document.subject?.digest;
    if (subject !== undefined) found.set(subject, [...(found.get(subject) ?? []), document]);
  }
  return found;
}
