/**
 * Address of a blob in the registry of oci://HOST/REPOSITORY:TAG (`oci+http` and loopback: without TLS), where anyone who may read there
 * fetches it as a plain file (OCI distribution specification 1.1, "Pulling blobs"); undefined for any other text.
 */
export function registryBlob(place: string, sha256: string): string | undefined {
  const [, plain, host = '', repository] =
    /^oci(\+http)?:\/\/([^/\s]+)\/([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::[\w.-]+)?$/.exec(place) ?? [];
  if (repository === undefined) return undefined;
  const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(host);
  const server = host === 'docker.io' ? 'registry-1.docker.io' : host;
  return `${plain !== undefined || isLocal ? 'http' : 'https'}://${server}/v2/${repository}/blobs/sha256:${sha256}`;
}
