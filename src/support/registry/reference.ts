import { SextantError } from '../errors.ts';
import { serverUrl } from './blob-address.ts';

export interface OciReference {
  /** Host and port, Docker Hub as "docker.io". */
  readonly registry: string;
  readonly repository: string;
  /** Tag, or "sha256:..." when `isDigest`. */
  readonly target: string;
  readonly isDigest: boolean;
}

// Grammar: OCI distribution specification 1.1, "Pulling manifests".
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const REGISTRY = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Parses REGISTRY/REPOSITORY:TAG or @sha256:...; without a registry it is Docker Hub's, as for docker. Throws `input`. */
export function parseReference(text: string): OciReference {
  const refuse = (why: string) =>
    new SextantError('input', `"${text}" is not an OCI reference: ${why}`, {
      hint: 'write REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:DIGEST',
    });
  const [named = '', digest, ...more] = text.replace(/^oci:(?:\/\/)?/, '').split('@');
  if (more.length > 0) throw refuse('more than one "@"');
  if (digest !== undefined && !DIGEST.test(digest)) throw refuse('only sha256 digests are supported');
  const slash = named.indexOf('/');
  const first = slash === -1 ? '' : named.slice(0, slash);
  const hasRegistry = /[.:]/.test(first) || first === 'localhost';
  const path = hasRegistry ? named.slice(slash + 1) : named;
  const colon = path.lastIndexOf(':');
  const tag = colon === -1 ? undefined : path.slice(colon + 1);
  const bare = colon === -1 ? path : path.slice(0, colon);
  const registry = hasRegistry ? first : 'docker.io';
  const repository = registry === 'docker.io' && !bare.includes('/') ? `library/${bare}` : bare;
  if (!REGISTRY.test(registry)) throw refuse(`"${registry}" is not a host`);
  if (!REPOSITORY.test(repository)) throw refuse(`"${bare}" is not a repository name`);
  if (tag !== undefined && !TAG.test(tag)) throw refuse(`"${tag}" is not a tag`);
  return { registry, repository, target: digest ?? tag ?? 'latest', isDigest: digest !== undefined };
}

/** Base address of a repository's API. */
export function repositoryUrl({ registry, repository }: OciReference): string {
  return `${serverUrl(registry)}/v2/${repository}`;
}
