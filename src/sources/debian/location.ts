/** Debian's archive as it is written into locks. https://www.debian.org/mirror/ */
const DEBIAN_ARCHIVE = 'http://deb.debian.org/debian';

/** Every state the archive ever had, by time. https://snapshot.debian.org */
const SNAPSHOT = 'https://snapshot.debian.org/archive';

/** The archive a suite lives in: security suites have one of their own, next to the main one. */
export function archiveOf(suite: string): string {
  return suite.endsWith('-security') ? `${DEBIAN_ARCHIVE}-security` : DEBIAN_ARCHIVE;
}

/** Where an address of Debian's archive is asked for: SEXTANT_DEBIAN names another mirror of it, e.g. http://ftp.de.debian.org/debian. */
export function asked(url: string, environment: NodeJS.ProcessEnv = process.env): string {
  const mirror = environment.SEXTANT_DEBIAN?.replace(/\/+$/, '');
  return mirror && url.startsWith(DEBIAN_ARCHIVE) ? mirror + url.slice(DEBIAN_ARCHIVE.length) : url;
}

/** A moment as snapshot.debian.org writes it: 20260912T075541Z. */
export function snapshotTime(date: Date): string {
  return date.toISOString().replace(/[-:]|\.\d+/g, '');
}

/** The same file of the archive as it was at a moment (`snapshotTime`), or undefined for an address outside Debian's archive. */
export function snapshotAddress(url: string, time: string): string | undefined {
  const base = DEBIAN_ARCHIVE.slice(0, -'debian'.length);
  const [, archive, path] = /^(debian|debian-security)\/(pool\/.+)$/.exec(url.slice(base.length)) ?? [];
  if (!url.startsWith(base) || archive === undefined) return undefined;
  return `${SNAPSHOT}/${archive}/${time}/${path}`;
}

/** Name, version and architecture in a package's file name: NAME_VERSION_ARCHITECTURE.deb, the version without its epoch. */
export function packageOf(url: string): { name: string; version: string; architecture: string } | undefined {
  const file = decodeURIComponent(url.slice(url.lastIndexOf('/') + 1));
  const [, name, version, architecture] = /^([^_]+)_([^_]+)_([^_]+)\.deb$/.exec(file) ?? [];
  if (name === undefined || version === undefined || architecture === undefined) return undefined;
  return { name, version, architecture };
}
