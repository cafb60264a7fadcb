import { limiter } from '../../sources/limiter.ts';
import { sha256 } from '../../support/files.ts';
import type { RegistryAnswer, Repository } from './client.ts';
import type { Document } from './documents.ts';
import { INDEX, MANIFEST } from './media-types.ts';

const ACCEPT = { accept: `${INDEX}, ${MANIFEST}` };

/** Digest of what a tag (or digest) names, undefined where it names nothing. */
export async function resolveTag(repository: Repository, tag: string): Promise<string | undefined> {
  const { status, headers } = await repository.request({
    method: 'HEAD',
    to: `/manifests/${tag}`,
    headers: ACCEPT,
    accept: [200, 404],
    what: `look for ${tag}`,
  });
  if (status === 404) return undefined;
  const digest = headers['docker-content-digest'];
  if (digest !== undefined && /^sha256:[0-9a-f]{64}$/.test(digest)) return digest;
  return (await readManifest(repository, tag))?.digest;
}

/** Questions under way at a time: they are small, and what they take is the way there and back. */
export const ASKED_AT_ONCE = 8;

/** The same of several. */
export async function resolveTags(
  repository: Repository,
  tags: readonly string[],
): Promise<Map<string, string | undefined>> {
  const run = limiter(ASKED_AT_ONCE, ASKED_AT_ONCE);
  const found = await Promise.allSettled(
    tags.map((tag) => run('', async () => [tag, await resolveTag(repository, tag)] as const)),
  );
  return new Map(
    found.map((each) => {
      if (each.status === 'rejected') throw each.reason;
      return each.value;
    }),
  );
}

/** The manifest that a tag or digest names, as it is; undefined where there is none. */
export async function readManifest(
  repository: Repository,
  target: string,
): Promise<{ readonly digest: string; readonly text: string } | undefined> {
  const { status, text } = await repository.request({
    method: 'GET',
    to: `/manifests/${target}`,
    headers: ACCEPT,
    accept: [200, 404],
    what: `read ${target}`,
  });
  return status === 404 ? undefined : { digest: `sha256:${sha256(text)}`, text };
}

/** Puts a manifest under a name (its digest, or a tag). */
export function putManifest(
  repository: Repository,
  document: Document,
  target: string,
): Promise<RegistryAnswer> {
  return repository.request({
    method: 'PUT',
    to: `/manifests/${target}`,
    headers: { 'content-type': document.mediaType },
    body: () => document.bytes,
    accept: [201],
    what: `${document.name} as ${target}`,
  });
}
