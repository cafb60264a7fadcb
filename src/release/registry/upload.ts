import { withRetries } from '../../sources/attempts.ts';
import { SextantError } from '../../support/errors.ts';
import type { Step } from '../../support/progress.ts';
import type { Blob } from './blob.ts';
import type { RegistryAnswer, Repository } from './client.ts';

/** An upload that the registry has begun: where it goes on, and how many bytes it has. */
interface Upload {
  readonly location: string;
  readonly at: number;
}

/** Whether a repository has a blob of that size. */
export async function hasBlob(repository: Repository, blob: Blob): Promise<boolean> {
  const { status, headers } = await repository.request({
    method: 'HEAD',
    to: `/blobs/${blob.digest}`,
    accept: [200, 404],
    what: `look for ${blob.name}`,
  });
  return status === 200 && Number(headers['content-length'] ?? blob.size) === blob.size;
}

/** Up to here a blob goes with the request that closes its upload: there is nothing worth taking up again, and it saves a request. */
const WHOLE = 64 * 1024;

/**
 * Uploads a blob: one streamed PATCH, which every registry takes, taken up again where the registry says that it stands when it breaks, and closed
 * with the digest, which the registry checks; a small one goes with that last request. Throws `network`, and `verification` when the registry says
 * that the bytes are not what their digest says.
 */
export async function uploadBlob(repository: Repository, blob: Blob, step: Step): Promise<void> {
  const { clock, signal } = repository.context;
  let upload: Upload | undefined;
  let furthest = 0;
  let wrong = 0;
  const whole = blob.size <= WHOLE;
  step.update({ bytes: 0, total: blob.size });
  await withRetries(
    {
      clock,
      signal,
      onWait: (error, ms) => step.update({ note: `${error.message}; again in ${Math.ceil(ms / 1000)} s` }),
    },
    async (progressed) => {
      let current =
        whole || upload === undefined ? await begin(repository, blob) : await ask(repository, blob, upload);
      upload = current;
      const advance = () => {
        if (current.at <= furthest) return;
        furthest = current.at;
        progressed();
      };
      advance();
      while (!whole && current.at < blob.size) {
        const from = current.at;
        current = await append(repository, blob, current, (bytes) =>
          step.update({ bytes: from + bytes, total: blob.size, note: '' }),
        );
        upload = current;
        if (current.at <= from) throw stuck(repository, blob);
        advance();
      }
      const end = await repository.once({
        method: 'PUT',
        to: withDigest(current.location, blob.digest),
        headers: {
          'content-length': String(whole ? blob.size : 0),
          'content-type': 'application/octet-stream',
        },
        ...(whole ? { body: () => blob.read(0) } : {}),
        accept: [201, 400, 404],
        what: `end of the upload of ${blob.name}`,
      });
      if (end.status === 201) return;
      upload = undefined;
      wrong += 1;
      // Whoever mixed up the pieces may do better with all of them at once; twice is no accident.
      if (end.status === 400 && (wrong > 1 || !/DIGEST/.test(end.text))) {
        throw new SextantError(
          'verification',
          `${repository.name}: the registry does not take ${blob.name} for ${blob.digest}`,
          {
            hint: 'the file was changed while it was uploaded, or something between changes it; run it again',
          },
        );
      }
      throw lost(repository, blob);
    },
  );
  step.update({ bytes: blob.size, total: blob.size, note: '' });
}

async function begin(repository: Repository, blob: Blob): Promise<Upload> {
  const answer = await repository.once({
    method: 'POST',
    to: '/blobs/uploads/',
    headers: { 'content-length': '0' },
    accept: [202],
    what: `begin of the upload of ${blob.name}`,
  });
  return { location: locationOf(repository, answer), at: 0 };
}

/** Where a broken upload stands; a new one where the registry has forgotten it. */
async function ask(repository: Repository, blob: Blob, upload: Upload): Promise<Upload> {
  const answer = await repository.once({
    method: 'GET',
    to: upload.location,
    accept: [204, 400, 404, 405],
    what: `state of the upload of ${blob.name}`,
  });
  if (answer.status !== 204) return begin(repository, blob);
  const { location } = answer.headers;
  return {
    location: location === undefined ? upload.location : locationOf(repository, answer),
    at: received(answer),
  };
}

async function append(
  repository: Repository,
  blob: Blob,
  upload: Upload,
  count: (bytes: number) => void,
): Promise<Upload> {
  const { at, location } = upload;
  const { signal } = repository.context;
  async function* counted(): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const piece of blob.read(at)) {
      signal.throwIfAborted();
      yield piece;
      count(piece.length);
      bytes += piece.length;
    }
    if (bytes !== blob.size - at)
      throw new Error(`${blob.name}: ${bytes} bytes instead of ${blob.size - at}`);
  }
  const answer = await repository.once({
    method: 'PATCH',
    to: location,
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(blob.size - at),
      // As docker does: the first stream says no range, some registries take it for a chunk then.
      ...(at === 0 ? {} : { 'content-range': `${at}-${blob.size - 1}` }),
    },
    body: counted,
    accept: [201, 202, 204, 404, 416],
    what: `upload of ${blob.name}`,
  });
  if (answer.status === 404 || answer.status === 416) throw lost(repository, blob);
  return {
    location: answer.headers.location === undefined ? location : locationOf(repository, answer),
    // Of a single byte the range says the same before and after.
    at: answer.headers.range === undefined || blob.size === 1 ? blob.size : received(answer),
  };
}

/** "Range: 0-N", the last byte that has arrived; "0-0" is what registries say for none, too. */
function received({ headers }: RegistryAnswer): number {
  const last = Number(/^(?:bytes[ =])?0-(\d+)$/.exec(headers.range ?? '')?.[1] ?? 0);
  return last === 0 ? 0 : last + 1;
}

function locationOf(repository: Repository, { headers, url }: RegistryAnswer): string {
  const { location } = headers;
  if (location !== undefined && URL.canParse(location, url)) return new URL(location, url).href;
  throw new SextantError('network', `${repository.name}: the registry does not say where an upload goes`, {
    hint: 'check that the address is a registry that can be pushed to',
  });
}

/** The rest of a location is the registry's own and stays as it is. */
function withDigest(location: string, digest: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
}

function lost(repository: Repository, blob: Blob): SextantError {
  return new SextantError('network', `${repository.name}: the registry has lost the upload of ${blob.name}`, {
    hint: 'run the same command again; what is there already is not uploaded again',
    cause: Object.assign(new Error('upload lost'), { code: 'UPLOAD_LOST' }),
  });
}

function stuck(repository: Repository, blob: Blob): SextantError {
  return new SextantError('network', `${repository.name}: the upload of ${blob.name} does not get on`, {
    hint: 'run the same command again; what is there already is not uploaded again',
    cause: Object.assign(new Error('upload stuck'), { code: 'UPLOAD_STUCK' }),
  });
}
