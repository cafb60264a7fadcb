import { SextantError } from '../../support/errors.ts';
import { bytesText, inStep } from '../../support/progress.ts';
import { readExactly } from '../registry/blob.ts';
import type { RegistryContext } from '../registry/client.ts';
import { mediaTypeOf } from '../registry/media-types.ts';
import type { Contents, ReleaseFile } from './contents.ts';
import {
  type Asset,
  createDraft,
  deleteAsset,
  fetchedDigest,
  findRelease,
  type GithubApi,
  type GithubRelease,
  listAssets,
  openGithub,
  publishDraft,
  uploadAsset,
} from './github-api.ts';

export interface GithubReport {
  readonly repository: string;
  readonly tag: string;
  readonly address: string;
  readonly changed: boolean;
  readonly uploaded: readonly string[];
  readonly present: readonly string[];
}

/** GitHub's limit of a release's file: "less than 2 GiB". */
const LARGEST = 2 * 1024 ** 3 - 1;
const TRIES = 3;

/**
 * Publishes a release as files of a GitHub release: uploads to a draft, looks at every file's size and digest as GitHub has it, then publishes the
 * draft. A release that is published already gets the files it lacks, what nodes act on last; its other files are left alone. Throws `input`
 * for a file that is there and differs (unless `replace`) or is too large, `usage` without a token, `network`, and `verification` when what GitHub
 * has is not what was sent.
 */
export async function publishToGithub(
  contents: Contents,
  target: { readonly owner: string; readonly repository: string; readonly tag: string },
  context: RegistryContext,
  options: { readonly replace?: boolean; readonly environment?: NodeJS.ProcessEnv } = {},
): Promise<GithubReport> {
  const { tag } = target;
  const { progress } = context;
  for (const { name, size } of contents.files) {
    if (size <= LARGEST) continue;
    throw new SextantError(
      'input',
      `${name}: ${bytesText(size)}, a file of a GitHub release has less than 2 GiB`,
      {
        hint: 'publish it to a registry or a folder',
      },
    );
  }
  const api = openGithub(target.owner, target.repository, context, options.environment);
  const found = await inStep(progress, `look at github:${api.name}@${tag}`, () => findRelease(api, tag));
  const before = found === undefined ? [] : await listAssets(api, found);
  const missing: ReleaseFile[] = [];
  const stale: Asset[] = [];
  for (const file of contents.files) {
    const there = before.find(({ name }) => name === file.name);
    if (there !== undefined && (await isSame(api, there, file))) continue;
    missing.push(file);
    if (there === undefined) continue;
    stale.push(there);
    // What an interrupted upload left is nobody's; a draft is nobody's either.
    if (there.state !== 'uploaded' || found?.draft === true || options.replace === true) continue;
    throw new SextantError('input', `github:${api.name}@${tag}: has another ${file.name} already`, {
      hint: 'publish under another tag, or replace it with --replace; nodes that pinned the other then find other bytes',
    });
  }
  const release = found ?? (await createDraft(api, draftOf(contents, tag)));
  for (const asset of stale) await deleteAsset(api, asset);
  for (const file of missing) await uploadFile(api, release, file, context);
  await inStep(
    progress,
    'look at what GitHub has',
    () => checkAll(api, release, contents),
    () => 'all of it, unchanged',
  );
  const published = release.draft
    ? await inStep(progress, `publish ${tag}`, () => publishDraft(api, release))
    : release;
  const uploaded = missing.map(({ name }) => name);
  return {
    repository: api.name,
    tag,
    address: published.html_url,
    changed: release.draft || uploaded.length > 0,
    uploaded,
    present: contents.files.map(({ name }) => name).filter((name) => !uploaded.includes(name)),
  };
}

async function uploadFile(
  api: GithubApi,
  release: GithubRelease,
  file: ReleaseFile,
  { progress, signal }: RegistryContext,
): Promise<void> {
  await inStep(
    progress,
    `upload ${file.name}`,
    async (step) => {
      async function* body(): AsyncGenerator<Uint8Array> {
        let bytes = 0;
        for await (const piece of readExactly(file.path, 0, file.size)) {
          signal.throwIfAborted();
          yield piece;
          bytes += piece.length;
          step.update({ bytes, total: file.size });
        }
      }
      for (let attempt = 1; attempt <= TRIES; attempt += 1) {
        const answer = await uploadAsset(api, release, { ...file, mediaType: mediaTypeOf(file.name) }, body);
        if (answer !== 'exists') {
          requireSame(api, answer, file);
          return;
        }
        // An attempt that broke off left its name taken, or another publisher was here.
        const there = (await listAssets(api, release)).find(({ name }) => name === file.name);
        if (there !== undefined && (await isSame(api, there, file))) return;
        if (there !== undefined && there.state === 'uploaded') {
          throw new SextantError(
            'verification',
            `github:${api.name}@${release.tag_name}: another ${file.name} came there meanwhile`,
            {
              hint: 'find out who publishes there too, then run the same command again',
            },
          );
        }
        if (there !== undefined) await deleteAsset(api, there);
      }
      throw new SextantError(
        'network',
        `github:${api.name}: ${file.name} cannot be uploaded: its name stays taken`,
        {
          hint: "remove it on the release's page, then run the same command again",
        },
      );
    },
    () => bytesText(file.size),
  );
}

async function checkAll(api: GithubApi, release: GithubRelease, contents: Contents): Promise<void> {
  const there = new Map((await listAssets(api, release)).map((asset) => [asset.name, asset]));
  for (const file of contents.files) {
    const asset = there.get(file.name);
    if (asset === undefined) {
      throw new SextantError(
        'verification',
        `github:${api.name}@${release.tag_name}: ${file.name} is not there`,
        {
          hint: 'someone removed it meanwhile; run the same command again',
        },
      );
    }
    if (!(await isSame(api, asset, file))) differs(api, asset, file);
  }
}

function requireSame(api: GithubApi, asset: Asset, file: ReleaseFile): void {
  const digest = asset.digest ?? undefined;
  const same = asset.size === file.size && (digest === undefined || digest === `sha256:${file.sha256}`);
  // GitHub gives a file another name where it does not like the one it has.
  if (!same || asset.name !== file.name) differs(api, asset, file);
}

async function isSame(api: GithubApi, asset: Asset, file: ReleaseFile): Promise<boolean> {
  if (asset.state !== 'uploaded' || asset.size !== file.size) return false;
  const digest = asset.digest ?? `sha256:${await fetchedDigest(api, asset)}`;
  return digest === `sha256:${file.sha256}`;
}

function differs(api: GithubApi, asset: Asset, file: ReleaseFile): never {
  throw new SextantError(
    'verification',
    `github:${api.name}: ${file.name} became ${asset.name}, ${asset.size} bytes${asset.digest ? `, ${asset.digest}` : ''}, there`,
    {
      hint: 'something between changes what is sent; the draft is not published. Run the same command again',
    },
  );
}

function draftOf({ release }: Contents, tag: string) {
  const { name, distribution, version, standin } = release;
  return {
    tag,
    name: `${name}: ${distribution} ${version}${standin ? ' (with stand-ins: for tests only)' : ''}`,
    body: [
      `${distribution} ${version} as a system extension for Kairos core nodes.`,
      '',
      'Put `activation.yaml` into `/oem` of a node and reboot it. `SHA256SUMS` lists every file.',
      ...(standin ? ['', '**Test equipment: it holds stand-ins, not the real components.**'] : []),
    ].join('\n'),
    prerelease: standin,
  };
}
