import { z } from 'zod';
import { limiter } from '../../sources/limiter.ts';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { bytesText, inStep } from '../../support/progress.ts';
import type { OciReference } from '../../support/registry/reference.ts';
import type { Contents } from '../publish/contents.ts';
import { openRepository, type RegistryContext, type Repository } from './client.ts';
import type { Document } from './documents.ts';
import { putManifest, readManifest, resolveTag } from './manifests.ts';
import { FORMS, type Form, type Plan, planRelease, type Tag, VERSION_ANNOTATION } from './plan.ts';
import { areListed, attach, listByTag } from './referrers.ts';
import { hasBlob, uploadBlob } from './upload.ts';

export interface RegistryOptions {
  /** Default: the release's version. */
  readonly tag?: string;
  readonly forms?: readonly Form[];
  /** Put tags in the place of a different release of the same version. */
  readonly replace?: boolean;
  readonly plainHttp?: boolean;
}

export interface PublishedTag {
  readonly tag: string;
  readonly what: Tag['what'];
  readonly form?: Form;
  readonly architecture?: Architecture;
  readonly digest: string;
  /** HOST/REPOSITORY@sha256:... */
  readonly reference: string;
}

export interface RegistryReport {
  readonly repository: string;
  /** Whether anything was sent at all. */
  readonly changed: boolean;
  readonly uploaded: { readonly blobs: number; readonly bytes: number };
  readonly present: { readonly blobs: number; readonly bytes: number };
  readonly tags: readonly PublishedTag[];
  readonly attached: readonly {
    readonly digest: string;
    readonly artifactType: string;
    readonly name: string;
    readonly subject: string;
  }[];
}

/** Blobs under way at a time. */
const AT_ONCE = 3;

/** What a release would be in a repository: every tag and digest, without asking anyone. */
export function plannedReport(
  contents: Contents,
  reference: OciReference,
  options: { readonly tag: string; readonly forms?: readonly Form[] },
): RegistryReport {
  const plan = planRelease(contents, options.tag, options.forms ?? FORMS);
  const none = { blobs: 0, bytes: 0 };
  return report(`${reference.registry}/${reference.repository}`, plan, {
    uploaded: none,
    present: none,
    changed: false,
  });
}

/**
 * Publishes a release to a repository: blobs that are not there, then manifests, then what is attached, then tags, the one people use last; so
 * whoever looks meanwhile sees the release that was there before, or none. What is there already is not sent again.
 *
 * Throws `input` when a tag holds a different release of the same version and `replace` is not set, `verification` when a tag is moved by
 * someone else meanwhile, `network` for what the registry refuses or a connection that stays broken; repeating is safe.
 */
export async function publishToRegistry(
  contents: Contents,
  reference: OciReference,
  context: RegistryContext,
  options: RegistryOptions & { readonly tag: string },
): Promise<RegistryReport> {
  const { progress } = context;
  const repository = openRepository(reference, context, options);
  const plan = planRelease(contents, options.tag, options.forms ?? FORMS);
  const before = await inStep(progress, `look at ${repository.name}`, () =>
    currentTags(repository, plan, contents, options.replace === true),
  );
  const counts = await uploadMissing(repository, plan);
  let changed = counts.uploaded.blobs > 0;
  await inStep(
    progress,
    'manifests',
    async () => {
      for (const document of plan.documents) changed = (await putMissing(repository, document)) || changed;
      changed = (await attachMissing(repository, plan.attached)) || changed;
    },
    () => `${plan.documents.length + plan.attached.length} as they should be`,
  );
  changed = (await putTags(repository, plan, before)) || changed;
  return report(repository.name, plan, { ...counts, changed });
}

type Counts = Pick<RegistryReport, 'uploaded' | 'present'>;

async function uploadMissing(repository: Repository, plan: Plan): Promise<Counts> {
  const { progress, signal, clock } = repository.context;
  const run = limiter(AT_ONCE, AT_ONCE);
  const uploaded = { blobs: 0, bytes: 0 };
  const present = { blobs: 0, bytes: 0 };
  const ended = new AbortController();
  // All settle before an error is passed on: nothing may still be under way then.
  const outcomes = await Promise.allSettled(
    plan.blobs.map((blob) =>
      run('', async () => {
        if (ended.signal.aborted) return;
        signal.throwIfAborted();
        try {
          if (await hasBlob(repository, blob)) {
            present.blobs += 1;
            present.bytes += blob.size;
            return;
          }
          const work = async (step: Parameters<typeof uploadBlob>[2]) => uploadBlob(repository, blob, step);
          const began = clock.now();
          await inStep(progress, `upload ${blob.name}`, work, () =>
            bytesAndRate(blob.size, clock.now() - began),
          );
          uploaded.bytes += blob.size;
          uploaded.blobs += 1;
        } catch (error) {
          ended.abort();
          throw error;
        }
      }),
    ),
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return { uploaded, present };
}

/** "128.0 MiB, 40.1 MiB/s"; the rate of a moment says nothing and is left out. */
function bytesAndRate(bytes: number, milliseconds: number): string {
  const rate = milliseconds < 500 ? '' : `, ${bytesText(Math.round((bytes * 1000) / milliseconds))}/s`;
  return `${bytesText(bytes)}${rate}`;
}

async function putMissing(repository: Repository, document: Document): Promise<boolean> {
  if ((await resolveTag(repository, document.digest)) !== undefined) return false;
  await putManifest(repository, document, document.digest);
  return true;
}

/** Puts what is attached, and lists it under the referrers' tags where the registry has no list of its own. */
async function attachMissing(repository: Repository, attached: readonly Document[]): Promise<boolean> {
  const missing: Document[] = [];
  for (const document of attached) {
    if ((await resolveTag(repository, document.digest)) === undefined) missing.push(document);
  }
  if (missing.length === 0 && (await areListed(repository, attached))) return false;
  const unlisted: Document[] = [];
  // Put again where the list lacks it, too: the answer says whether the registry lists it by itself.
  for (const document of attached) {
    if (!(await attach(repository, document))) unlisted.push(document);
  }
  // Some registries list what they do not say that they list.
  if (!(await areListed(repository, unlisted))) await listByTag(repository, unlisted);
  return true;
}

/** What the tags name now. A different release of the same version is not replaced unasked. */
async function currentTags(
  repository: Repository,
  plan: Plan,
  contents: Contents,
  replace: boolean,
): Promise<Map<string, string | undefined>> {
  const before = new Map<string, string | undefined>();
  for (const { tag } of plan.tags) before.set(tag, await resolveTag(repository, tag));
  if (replace) return before;
  for (const { tag, document } of plan.tags) {
    const digest = before.get(tag);
    if (digest === undefined || digest === document.digest) continue;
    const version = await versionAt(repository, digest);
    if (version !== undefined && version !== contents.release.version) continue;
    const what =
      version === undefined ? 'something that is no release of sextant' : `a different build of ${version}`;
    throw new SextantError('input', `${repository.name}:${tag}: holds ${what} (${digest.slice(0, 19)}...)`, {
      hint: 'publish under another tag, or put this one in its place with --replace; nodes that pinned the other then find other bytes',
    });
  }
  return before;
}

const annotated = z.looseObject({ annotations: z.record(z.string(), z.string()).optional() });

async function versionAt(repository: Repository, digest: string): Promise<string | undefined> {
  const found = await readManifest(repository, digest);
  try {
    return annotated.parse(JSON.parse(found?.text ?? '')).annotations?.[VERSION_ANNOTATION];
  } catch {
    return undefined;
  }
}

/** Moves the tags, each only from where it was; then looks at all of them once more. */
async function putTags(
  repository: Repository,
  plan: Plan,
  before: ReadonlyMap<string, string | undefined>,
): Promise<boolean> {
  const { progress } = repository.context;
  let changed = false;
  await inStep(
    progress,
    'tags',
    async () => {
      for (const { tag, document } of plan.tags) {
        const now = await resolveTag(repository, tag);
        if (now === document.digest) continue;
        if (now !== before.get(tag)) throw moved(repository, tag, now);
        await putManifest(repository, document, tag);
        changed = true;
      }
      if (!changed) return;
      for (const { tag, document } of plan.tags) {
        const now = await resolveTag(repository, tag);
        if (now !== document.digest) throw moved(repository, tag, now);
      }
    },
    () => plan.tags.map(({ tag }) => tag).join(', '),
  );
  return changed;
}

function moved(repository: Repository, tag: string, digest: string | undefined): SextantError {
  return new SextantError(
    'verification',
    `${repository.name}:${tag}: was moved by someone else meanwhile, to ${digest ?? 'nothing'}`,
    { hint: 'find out who publishes there too, then run the same command again' },
  );
}

function report(
  repository: string,
  plan: Plan,
  counts: Counts & { readonly changed: boolean },
): RegistryReport {
  return {
    repository,
    ...counts,
    tags: plan.tags.map(({ tag, document, what, form, architecture }) => ({
      tag,
      what,
      ...(form === undefined ? {} : { form }),
      ...(architecture === undefined ? {} : { architecture }),
      digest: document.digest,
      reference: `${repository}@${document.digest}`,
    })),
    attached: plan.attached.map(({ digest, artifactType = '', name, subject }) => ({
      digest,
      artifactType,
      name,
      subject: subject?.digest ?? '',
    })),
  };
}
