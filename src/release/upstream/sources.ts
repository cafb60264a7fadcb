import type { LockedComponent } from '../../lock/types.ts';
import type { Component, SourceOf } from '../../recipe/schema.ts';
import { debianTrust, newestPackage, type Trust } from '../../sources/debian/index.ts';
import { listReleases } from '../../sources/github-release/api.ts';
import { resolveTag } from '../../sources/github-release/index.ts';
import { compareVersions, newestInRange, parseVersionSpec } from '../../sources/github-release/versions.ts';
import { moduleVersions } from '../../sources/go-module/index.ts';
import { sourceFor } from '../../sources/index.ts';
import { lastPart } from '../../sources/mirrors.ts';
import { publishedChecksum } from '../../sources/published-checksum.ts';
import type { SourceContext } from '../../sources/types.ts';
import type { Architecture } from '../../support/architecture.ts';
import { fill } from '../../support/fill.ts';
import type { News } from './types.ts';

type Found = Omit<News, 'kind' | 'name' | 'locked'>;

export interface Asked {
  readonly component: Component;
  readonly locked: LockedComponent;
  readonly architecture: Architecture;
  readonly context: SourceContext;
  readonly trust?: Trust;
}

/** What upstream has that is newer, `undefined` where there is nothing, or why it cannot be asked. Uses the network. */
export async function newer(asked: Asked): Promise<Found | undefined | { readonly silent: string }> {
  const { source } = asked.component;
  switch (source.type) {
    case 'github-release':
      return githubRelease(source, asked);
    case 'debian':
      return debianPackage(source, asked);
    case 'go-module':
      return goModule(source, asked);
    case 'oci':
      return ociReference(source, asked);
    case 'url':
      return address(source, asked);
    case 'file':
      return { silent: 'a file of the recipe’s own' };
  }
}

export const releaseLink = (repository: string, tag: string) =>
  `https://github.com/${repository}/releases/tag/${encodeURIComponent(tag)}`;

/** The newest release that is no pre-release and newer than a tag, of the newest 100. */
export async function newestRelease(
  repository: string,
  than: string,
  context: SourceContext,
): Promise<string | undefined> {
  const releases = await listReleases(repository, context, () => true);
  const tag = newestInRange(releases, '*', false);
  return tag !== undefined && compareVersions(tag, than) > 0 ? tag : undefined;
}

async function githubRelease(
  { repository, version }: SourceOf<'github-release'>,
  { locked, context }: Asked,
): Promise<Found | undefined | { silent: string }> {
  if (version === 'distribution') return { silent: 'it has the distribution’s version' };
  if (parseVersionSpec(version).kind !== 'exact') {
    const tag = await resolveTag(repository, version, context);
    if (tag !== locked.version) {
      return { upstream: tag, allowed: true, link: releaseLink(repository, tag) };
    }
  }
  const tag = await newestRelease(repository, locked.version, context);
  return tag === undefined
    ? undefined
    : { upstream: tag, allowed: false, link: releaseLink(repository, tag) };
}

async function debianPackage(
  source: SourceOf<'debian'>,
  { locked, architecture, context, trust = debianTrust }: Asked,
): Promise<Found | undefined> {
  const now = await newestPackage(source.package, source.suite, architecture, context, trust);
  if (now === undefined || now === locked.version) return undefined;
  return { upstream: now, allowed: source.version === undefined };
}

async function goModule(
  { module }: SourceOf<'go-module'>,
  { component, locked, context }: Asked,
): Promise<Found | undefined | { silent: string }> {
  if (module === undefined) return { silent: 'a folder of the recipe’s own' };
  const versions = await moduleVersions(module, context, component.name);
  const tag = newestInRange(
    versions.map((each) => ({ tag: each, prerelease: false })),
    '*',
    false,
  );
  if (tag === undefined || compareVersions(tag, locked.version) <= 0) return undefined;
  return { upstream: tag, allowed: false, link: `https://pkg.go.dev/${module}@${tag}` };
}

async function ociReference(
  source: SourceOf<'oci'>,
  { component, locked, architecture, context }: Asked,
): Promise<Found | undefined> {
  const room = await sourceFor('oci');
  const now = await room.resolve(component, source, architecture, context);
  const digest = now.detail?.manifest;
  if (typeof digest !== 'string' || digest === locked.detail?.manifest) return undefined;
  return { upstream: digest, allowed: true };
}

async function address(
  source: SourceOf<'url'>,
  { locked, architecture, context }: Asked,
): Promise<Found | undefined | { silent: string }> {
  if (source.version === 'distribution') return { silent: 'it has the distribution’s version' };
  if (source.checksums === undefined) return { silent: 'an address does not tell its versions' };
  const [blob] = locked.inputs;
  const list = fill(source.checksums, {
    arch: source.archNames[architecture],
    version: source.version.replace(/^v(?=\d)/, ''),
    tag: encodeURIComponent(source.version),
  });
  const sha256 = await publishedChecksum(list, lastPart(blob?.url ?? source.url), context);
  if (sha256 === blob?.sha256) return undefined;
  return {
    upstream: `sha256:${sha256.slice(0, 12)}...`,
    allowed: source.sha256?.[architecture] === undefined,
  };
}
