import type { SourceOf } from '../../recipe/schema.ts';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { fill } from '../../support/fill.ts';
import { statusOf } from '../attempts.ts';
import { lastPart } from '../mirrors.ts';
import { pin, publishedChecksum } from '../published-checksum.ts';
import { incompleteLock, materializeFile } from '../single-file.ts';
import type { SourceContext, SourceRoom } from '../types.ts';
import { latestRelease, listReleases } from './api.ts';
import { nearestVersions, newestInRange, parseVersionSpec } from './versions.ts';

/**
 * An asset of a GitHub release. An exact tag needs no API: the address of an asset follows from its name. Ranges and "latest" ask
 * the REST API (GITHUB_TOKEN or GH_TOKEN is used when set). GitHub Enterprise and closed networks: mirrors for
 * https://github.com/ and https://api.github.com/.
 */
export const githubRelease: SourceRoom<'github-release'> = {
  async resolve(component, source, architecture, context) {
    const tag = await resolveTag(source.repository, source.version, context);
    const { asset, checksums } = names(source, tag, architecture);
    const url = assetUrl(source.repository, tag, asset);
    try {
      const list = checksums === undefined ? undefined : assetUrl(source.repository, tag, checksums);
      const expected =
        list === undefined
          ? undefined
          : { sha256: await publishedChecksum(list, asset, context), from: list };
      const blob = await pin(component.name, url, expected, context);
      return {
        name: component.name,
        type: 'github-release',
        version: tag,
        inputs: [blob],
        detail: { asset },
      };
    } catch (error) {
      if (statusOf(error)?.status !== 404) throw error;
      throw await explainMissing(source.repository, tag, [asset, checksums], context, error as SextantError);
    }
  },

  async materialize(component, _source, locked, _architecture, context) {
    const [blob] = locked.inputs;
    if (blob === undefined) throw incompleteLock(component.name);
    const asset = locked.detail?.asset;
    return materializeFile(component, typeof asset === 'string' ? asset : lastPart(blob.url), blob, context);
  },
};

/** Address of a release's asset; "+" and other special characters of tags and names are percent-encoded. */
export function assetUrl(repository: string, tag: string, asset: string): string {
  return `https://github.com/${repository}/releases/download/${encodeURIComponent(tag)}/${encodeURIComponent(asset)}`;
}

/**
 * The tag that a version (exact, range or "latest") of OWNER/NAME stands for; an exact one is taken as it is. Throws `input` when
 * nothing fits.
 */
export async function resolveTag(
  repository: string,
  version: string,
  context: SourceContext,
): Promise<string> {
  const spec = parseVersionSpec(version);
  if (spec.kind === 'exact') return spec.tag;
  if (spec.kind === 'latest') return (await latestRelease(repository, context)).tag;
  const releases = await listReleases(repository, context);
  const tag = newestInRange(releases, spec.range, spec.prereleases);
  if (tag !== undefined) return tag;
  throw new SextantError('input', `${repository} has no release in the range ${version}`, {
    hint: nearestHint(
      releases.map((release) => release.tag),
      version,
    ),
  });
}

function names(source: SourceOf<'github-release'>, tag: string, architecture: Architecture) {
  const values = { version: tag.replace(/^v(?=\d)/, ''), tag, arch: source.archNames[architecture] };
  return {
    asset: fill(source.asset, values),
    checksums: source.checksums === undefined ? undefined : fill(source.checksums, values),
  };
}

/** Why a download is not there: no such release, or a release without that asset. Says what there is, when the API can be asked. */
async function explainMissing(
  repository: string,
  tag: string,
  wanted: readonly (string | undefined)[],
  context: SourceContext,
  missing: SextantError,
): Promise<SextantError> {
  let releases: Awaited<ReturnType<typeof listReleases>>;
  try {
    releases = await listReleases(repository, context, (found) => found.some((each) => each.tag === tag));
  } catch (error) {
    context.signal.throwIfAborted();
    return new SextantError('input', `${repository} has no release ${tag} with ${wanted[0]}`, {
      hint: `check version and asset in the recipe; the existing releases could not be listed (${(error as Error).message})`,
      cause: missing,
    });
  }
  const release = releases.find((each) => each.tag === tag);
  if (release === undefined) {
    return new SextantError('input', `${repository} has no release ${tag}`, {
      hint: nearestHint(
        releases.map((each) => each.tag),
        tag,
      ),
      cause: missing,
    });
  }
  const lacking = wanted.find((name) => name !== undefined && !release.assets.includes(name)) ?? wanted[0];
  return new SextantError('input', `release ${tag} of ${repository} has no asset ${lacking}`, {
    hint: release.assets.length === 0 ? 'it has no assets at all' : `it has: ${release.assets.join(', ')}`,
    cause: missing,
  });
}

function nearestHint(tags: readonly string[], wanted: string): string {
  const nearest = nearestVersions(tags, wanted);
  return nearest.length === 0 ? 'it has no releases at all' : `the nearest are: ${nearest.join(', ')}`;
}
