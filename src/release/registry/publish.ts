import { z } from 'zod';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { inStep } from '../../support/progress.ts';
import type { OciReference } from '../../support/registry/reference.ts';
import type { Contents } from '../publish/contents.ts';
import { openRepository, type RegistryContext, type Repository } from './client.ts';
import type { Document } from './documents.ts';
import { putManifest, readManifest, resolveTag, resolveTags } from './manifests.ts';
import { FORMS, type Form, type Plan, planRelease, type Tag, VERSION_ANNOTATION } from './plan.ts';
import { type Counts, putMissing, uploadMissing } from './put.ts';
import { areListed, attach, listByTag } from './referrers.ts';

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

export interface RegistryReport extends Counts {
  readonly repository: string;
  /** Whether anything was sent at all. */
  readonly changed: boolean;
  readonly tags: readonly PublishedTag[];
  readonly attached: readonly {
    readonly digest: string;
    readonly artifactType: string;
    readonly name: string;
    readonly subject: string;
  }[];
}

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
  const counts = await uploadMissing(repository, plan.blobs);
  let changed = counts.uploaded.blobs > 0;
  await inStep(
    progress,
    'manifests',
    async () => {
      changed = (await putMissing(repository, plan.documents)) || changed;
      changed = (await attachMissing(repository, plan.attached)) || changed;
    },
    () => `${plan.documents.length + plan.attached.length} as they should be`,
  );
  changed = (await putTags(repository, plan, before)) || changed;
  return report(repository.name, plan, { ...counts, changed });
}

/** Puts what is attached, and lists it under the referrers' tags where the registry has no list of its own. */
async function attachMissing(repository: Repository, attached: readonly Document[]): Promise<boolean> {
  const known = await resolveTags(
    repository,
    attached.map(({ digest }) => digest),
  );
  const missing = attached.filter(({ digest }) => known.get(digest) === undefined);
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
  const before = await resolveTags(
    repository,
    plan.tags.map(({ tag }) => tag),
  );
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
      const after = await resolveTags(
        repository,
        plan.tags.map(({ tag }) => tag),
      );
      for (const { tag, document } of plan.tags) {
        if (after.get(tag) !== document.digest) throw moved(repository, tag, after.get(tag));
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
