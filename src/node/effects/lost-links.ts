import type { Host } from '../host/host.ts';

/** Where Kairos and systemd look for what is enabled by a link: units and what wants them (systemd.unit(5)), and Kairos' plug-ins. */
const UNITS = '/etc/systemd/system';
const PLUGINS = '/usr/local/system/providers';

/** Links there that lead nowhere. */
export function lostLinks(host: Host): readonly string[] {
  const folders = (host.list(UNITS) ?? [])
    .filter((name) => /\.(wants|requires|upholds)$/.test(name))
    .map((name) => `${UNITS}/${name}`);
  return [UNITS, ...folders, PLUGINS].flatMap((folder) =>
    (host.list(folder) ?? [])
      .map((name) => `${folder}/${name}`)
      .filter((path) => host.lstat(path)?.kind === 'link' && host.stat(path) === undefined),
  );
}

/** Takes away the links that lead nowhere and did before to something: what enabled the units of an extension that is not merged any more. */
export function removeLostLinks(host: Host, before: readonly string[]): void {
  const lost = lostLinks(host).filter((path) => !before.includes(path));
  for (const path of lost) host.unlink(path);
  const folders = new Set(lost.map((path) => path.slice(0, path.lastIndexOf('/'))));
  for (const folder of folders) host.sync(folder);
}
