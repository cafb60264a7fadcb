/**
 * Package addresses (https://github.com/package-url/purl-spec). Names and versions are percent-encoded by its rules; a Go module's path is in
 * small letters, as its type demands.
 */
export function goPurl(module: string, version: string | undefined): string {
  const path = module.toLowerCase().split('/').map(encoded).join('/');
  return `pkg:golang/${path}${version === undefined ? '' : `@${encoded(version)}`}`;
}

/** Debian releases by suite: scanners look a package up by the number. */
const DEBIAN_RELEASES: Readonly<Record<string, string>> = { bookworm: '12', trixie: '13', forky: '14' };

export function debianPurl(name: string, version: string, architecture: string, suite?: string): string {
  const release = suite === undefined ? undefined : DEBIAN_RELEASES[suite];
  const distro = release === undefined ? '' : `&distro=debian-${release}`;
  return `pkg:deb/debian/${encoded(name)}@${encoded(version)}?arch=${architecture}${distro}`;
}

export function githubPurl(repository: string, version: string): string {
  return `pkg:github/${repository.toLowerCase()}@${encoded(version)}`;
}

/** Letters, digits and `.-_~` stay, and the colon of a Debian epoch. */
function encoded(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%3A', ':')
    .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
