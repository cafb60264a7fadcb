import semver from 'semver';
import { z } from 'zod';
import { SextantError } from '../../support/errors.ts';
import { askText, parseJson } from '../ask-text.ts';
import type { SourceContext } from '../types.ts';
import { latestRelease, listReleases } from './api.ts';
import { resolveTag } from './index.ts';
import { newestInRange, parseVersionSpec } from './versions.ts';

const K3S = 'k3s-io/k3s';
/** Repositories whose tags are vX.Y.Z+SUFFIX, so that X.Y.Z alone is not a tag. */
const SUFFIXED = new Set([K3S, 'k0sproject/k0s']);
/** The channel server that the k3s installer asks too. */
const K3S_CHANNELS = 'https://update.k3s.io/v1-release/channels';

const channelsSchema = z.object({
  data: z.array(z.object({ name: z.string(), latest: z.string().optional() })),
});

/**
 * The exact version of a Kubernetes distribution: exact as it is (completed to the newest +k3sN or +k0s.N where it lacks one), a
 * range to the newest release in it, a channel (stable, latest, v1.36) by the k3s channel server, for others by GitHub's latest
 * release or the newest of that minor version. Uses the network except for exact versions. Throws `input` naming what there is.
 */
export async function resolveDistributionVersion(
  repository: string,
  spec: string,
  context: SourceContext,
): Promise<string> {
  const suffixed = SUFFIXED.has(repository);
  const parsed = semver.parse(spec);
  if (parsed !== null) {
    const tag = suffixed && !spec.startsWith('v') ? `v${spec}` : spec;
    return suffixed && parsed.build.length === 0 ? completed(repository, tag, context) : tag;
  }
  if (parseVersionSpec(spec).kind === 'range') return resolveTag(repository, spec, context);
  if (repository === K3S) return k3sChannel(spec, context);
  if (spec === 'stable' || spec === 'latest') return (await latestRelease(repository, context)).tag;
  const minor = /^v?(\d+\.\d+)$/.exec(spec)?.[1];
  return resolveTag(repository, minor === undefined ? spec : `~${minor}`, context);
}

async function completed(repository: string, version: string, context: SourceContext): Promise<string> {
  const plain = version.replace(/^v/, '');
  const releases = await listReleases(repository, context);
  const tag = newestInRange(releases, plain, true);
  return tag ?? resolveTag(repository, `=${plain}`, context);
}

async function k3sChannel(name: string, context: SourceContext): Promise<string> {
  const answer = await askText(K3S_CHANNELS, context);
  const parsed = channelsSchema.safeParse(parseJson(answer, K3S_CHANNELS));
  if (!parsed.success) {
    throw new SextantError('network', `${K3S_CHANNELS}: not an answer of the k3s channel server`, {
      hint: 'check the mirrors in the recipe, or name an exact version',
    });
  }
  const wanted = /^\d+\.\d+$/.test(name) ? `v${name}` : name;
  const version = parsed.data.data.find((channel) => channel.name === wanted)?.latest;
  if (version !== undefined && version !== '') return version;
  const names = parsed.data.data.filter(({ latest }) => latest).map((channel) => channel.name);
  throw new SextantError('input', `k3s has no channel or version "${name}"`, {
    hint: `its channels are: ${names.join(', ')}; an exact version looks like v1.36.3+k3s1`,
  });
}
