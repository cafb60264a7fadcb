import { limiter } from '../../sources/limiter.ts';
import { bytesText, inStep } from '../../support/progress.ts';
import type { Blob } from './blob.ts';
import type { Repository } from './client.ts';
import type { Document } from './documents.ts';
import { ASKED_AT_ONCE, putManifest, resolveTags } from './manifests.ts';
import { hasBlob, uploadBlob } from './upload.ts';

/** What was sent, and what was there already. */
export interface Counts {
  readonly uploaded: { readonly blobs: number; readonly bytes: number };
  readonly present: { readonly blobs: number; readonly bytes: number };
}

/** Blobs under way at a time. */
const AT_ONCE = 3;

/** Uploads the blobs that a repository does not have. All that was begun has ended when this throws. */
export async function uploadMissing(repository: Repository, blobs: readonly Blob[]): Promise<Counts> {
  const { progress, signal, clock } = repository.context;
  const asking = limiter(ASKED_AT_ONCE, ASKED_AT_ONCE);
  const sending = limiter(AT_ONCE, AT_ONCE);
  const uploaded = { blobs: 0, bytes: 0 };
  const present = { blobs: 0, bytes: 0 };
  const ended = new AbortController();
  const put = async (blob: Blob): Promise<void> => {
    if (ended.signal.aborted) return;
    signal.throwIfAborted();
    const began = clock.now();
    await inStep(
      progress,
      `upload ${blob.name}`,
      (step) => uploadBlob(repository, blob, step),
      () => bytesAndRate(blob.size, clock.now() - began),
    );
    uploaded.bytes += blob.size;
    uploaded.blobs += 1;
  };
  const one = async (blob: Blob): Promise<void> => {
    try {
      const there = await asking('', async () => {
        if (ended.signal.aborted) return true;
        signal.throwIfAborted();
        const found = await hasBlob(repository, blob);
        if (found) {
          present.blobs += 1;
          present.bytes += blob.size;
        }
        return found;
      });
      if (!there) await sending('', () => put(blob));
    } catch (error) {
      ended.abort();
      throw error;
    }
  };
  // All settle before an error is passed on: nothing may still be under way then.
  const outcomes = await Promise.allSettled(blobs.map(one));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return { uploaded, present };
}

/** "128.0 MiB, 40.1 MiB/s"; the rate of a moment says nothing and is left out. */
function bytesAndRate(bytes: number, milliseconds: number): string {
  const rate = milliseconds < 500 ? '' : `, ${bytesText(Math.round((bytes * 1000) / milliseconds))}/s`;
  return `${bytesText(bytes)}${rate}`;
}

/** Puts the manifests that a repository does not have under their digests, in their order. True when one was put. */
export async function putMissing(repository: Repository, documents: readonly Document[]): Promise<boolean> {
  const known = await resolveTags(
    repository,
    documents.map(({ digest }) => digest),
  );
  const missing = documents.filter(({ digest }) => known.get(digest) === undefined);
  for (const document of missing) await putManifest(repository, document, document.digest);
  return missing.length > 0;
}
