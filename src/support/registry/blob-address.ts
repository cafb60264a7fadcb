/** Address of a registry's server. Plain http is for one on this machine only, unless it is asked for. */
export function serverUrl(registry: string, plain = false): string {
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(host);
  return `${plain || isLocal ? 'http' : 'https'}://${host}`;
}

/**
 * Address of a blob in the registry of oci://HOST/REPOSITORY:TAG (`oci+http` and loopback: without TLS), where anyone who may read there
 * fetches it as a plain file (OCI distribution specification 1.1, "Pulling blobs"); undefined for any other text.
 */
export function registryBlob(place: string, sha256: string): string | undefined {
  const [, plain, host = '', repository] =
    /^oci(\+http)?:\/\/([^/\s]+)\/([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::[\w.-]+)?$/.exec(place) ?? [];
  if (repository === undefined) return undefined;
  return `${serverUrl(host, plain !== undefined)}/v2/${repository}/blobs/sha256:${sha256}`;
}

/** The tag of a version: "+" has no place in one. */
export function tagOfVersion(version: string): string {
  return version.replace(/[^\w.-]/g, '-').replace(/^[.-]+/, '');
}

/** A release's place in a registry with its tag: where none is said it is the version, as `sextant publish` has it. */
export function taggedPlace(place: string, version: string): string {
  const hasTag = /^oci(?:\+http)?:\/\/[^/]+\/.+:/.test(place);
  return hasTag ? place : `${place}:${tagOfVersion(version)}`;
}
