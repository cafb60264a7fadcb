import { type Choice, chooseRelease, isMinor, tooOld } from '../catalog/choose.ts';
import type { ListedRelease } from '../catalog/parse.ts';
import { listedPlace, mirroredPlace } from '../catalog/place.ts';
import { readCatalog, type TrustedCatalog } from '../catalog/read.ts';
import { rememberCatalog } from '../catalog/seen.ts';
import { type CatalogSettings, catalogSettings } from '../catalog/settings.ts';
import type { ReleasePlace } from '../download/address.ts';
import { architectureOf } from '../download/machine.ts';
import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import type { Generation } from '../model/types.ts';
import { runProgram } from '../programs.ts';
import type { Session } from '../session.ts';
import { printable, wrap } from './text.ts';
import { versionRules } from './upgrade-plan.ts';

/** What the catalog has for this node. */
export interface ListedChoice {
  readonly catalog: TrustedCatalog;
  /** Null: nothing newer is for this node. */
  readonly release: ListedRelease | null;
  readonly place: ReleasePlace | null;
  /** What a person has to know of the choice. */
  readonly text: string;
}

/**
 * Asks the catalog of the settings, where there is one and `to` is a version, a minor version or nothing. Undefined where the catalog has no
 * say: an address or a path was named, or none is set. With `remember` the catalog counts as seen, also where nothing of it can be chosen: what it
 * withdrew is not taken out of an older one. Throws what `readCatalog` and `chooseRelease` throw.
 */
export function chooseListed(
  session: Session,
  from: Generation,
  wish: {
    readonly to: string | undefined;
    readonly cluster: string | undefined;
    readonly again: boolean;
    readonly remember: boolean;
  },
): ListedChoice | undefined {
  const { host } = session;
  const { to } = wish;
  if (to !== undefined && !/^v?\d+\.\d+(\.\d+[^/]*)?$/.test(to)) return undefined;
  const settings = catalogSettings(host);
  if (settings === undefined) {
    if (to === undefined || !isMinor(to)) return undefined;
    throw new Failure(
      'input',
      `upgrade: ${to} is no whole version, and no catalog is set in which the newest of it could be looked up`,
      'name one like v1.34.1+k3s1, or set `catalog` in /etc/sextant/settings.json',
    );
  }
  const catalog = readCatalog(host, settings);
  if (wish.remember) rememberCatalog(host, catalog.address, catalog.seen);
  const node = { systemd: systemdVersion(host), kairos: kairosVersion(host) };
  const choice = chooseRelease(
    catalog,
    to,
    {
      runs: from.kubernetes,
      names: from.files.map(({ name }) => name),
      architecture: architectureOf(host),
      ...node,
      bad: wish.again ? new Set() : badImages(session),
      problem: versionRules(session, from, wish.cluster),
    },
    catalog.shown,
  );
  const { release } = choice;
  const old = release === null ? undefined : tooOld(release, node);
  if (release !== null && old !== undefined)
    throw new Failure(
      'refused',
      `${release.version} ${old}`,
      'upgrade the operating system first: kairos-agent upgrade',
    );
  return { catalog, release, place: placeOf(settings, release), text: choiceText(catalog, choice, from) };
}

function placeOf({ address, mirror }: CatalogSettings, release: ListedRelease | null): ReleasePlace | null {
  if (release === null) return null;
  return mirror === undefined ? listedPlace(address, release.address) : mirroredPlace(mirror, release);
}

function choiceText(catalog: TrustedCatalog, choice: Choice, from: Generation): string {
  const { shown, serial, signed } = catalog;
  const { release, passed, runsYanked } = choice;
  const trusted = signed
    ? 'signed by a key this node trusts'
    : 'its signature is not asked for (catalog.trust)';
  const outcome =
    release === null
      ? `Nothing newer than ${from.kubernetes} in it is for this node.`
      : `It has ${release.version} for this node.`;
  return [
    wrap(printable(`The catalog ${shown} has serial ${serial}, ${trusted}. ${outcome}`)),
    ...(runsYanked === null
      ? []
      : [wrap(printable(`NOTE: ${from.kubernetes}, which runs, was yanked: ${runsYanked}`), '      ')]),
    ...passed.slice(0, 5).map((line) => wrap(printable(`  - passed over ${line}`), '    ')),
  ].join('');
}

function badImages({ records, observation }: Session): ReadonlySet<string> {
  const bad = records.generations.filter(({ state, os }) => state === 'bad' && os === observation.os);
  return new Set(bad.flatMap(({ files }) => files.map(({ sha256 }) => sha256)));
}

/** 0 where it does not say. */
function systemdVersion(host: Host): number {
  const { stdout } = runProgram(host, 'systemctl', ['--version']);
  return Number(/^systemd (\d+)/.exec(stdout)?.[1] ?? 0);
}

/** Empty where it does not say. */
function kairosVersion(host: Host): string {
  const text = host.readText('/etc/kairos-release') ?? '';
  const value = (name: string) =>
    new RegExp(`^${name}=(["']?)(v?\\d+\\.\\d+\\.\\d+.*)\\1$`, 'm').exec(text)?.[2];
  return value('KAIROS_RELEASE') ?? value('KAIROS_VERSION') ?? '';
}
