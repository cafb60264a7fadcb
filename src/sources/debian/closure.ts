import { SextantError } from '../../support/errors.ts';
import { type Alternative, type Package, parseDependencies } from './control.ts';
import { compareVersions, satisfies } from './version.ts';

interface Provided {
  readonly by: Package;
  readonly version?: string;
}

/** Packages of one suite and architecture, by name and by what they provide. */
export interface PackageIndex {
  /** Newest first. */
  readonly named: ReadonlyMap<string, readonly Package[]>;
  readonly provided: ReadonlyMap<string, readonly Provided[]>;
}

/** Indexes packages for look-ups by real and provided names. */
export function indexPackages(packages: readonly Package[]): PackageIndex {
  const named = new Map<string, Package[]>();
  const provided = new Map<string, Provided[]>();
  const put = <T>(map: Map<string, T[]>, key: string, value: T) => {
    const list = map.get(key);
    if (list) list.push(value);
    else map.set(key, [value]);
  };
  for (const item of packages) {
    put(named, item.name, item);
    if (item.provides === '') continue;
    for (const [virtual] of parseDependencies(item.provides)) {
      if (!virtual) continue;
      // Only "=" is allowed here (Debian Policy 7.5).
      const version = virtual.constraint?.version;
      put(provided, virtual.name, { by: item, ...(version === undefined ? {} : { version }) });
    }
  }
  for (const list of named.values()) list.sort((a, b) => compareVersions(b.version, a.version));
  for (const list of provided.values()) list.sort((a, b) => (a.by.name < b.by.name ? -1 : 1));
  return { named, provided };
}

/** Everything of the index that meets one alternative: packages of the name first, then providers by name. */
function candidates(index: PackageIndex, { name, constraint }: Alternative): Package[] {
  const meets = (version: string | undefined) =>
    constraint === undefined ||
    (version !== undefined && satisfies(version, constraint.relation, constraint.version));
  return [
    ...(index.named.get(name) ?? []).filter((item) => meets(item.version)),
    ...(index.provided.get(name) ?? []).filter((item) => meets(item.version)).map((item) => item.by),
  ];
}

const asText = ({ name, constraint }: Alternative) =>
  constraint ? `${name} (${constraint.relation} ${constraint.version})` : name;

/**
 * The packages asked for with all they need by Pre-Depends and Depends, sorted by name. A dependency that a chosen package meets
 * already is met by it; otherwise the first alternative that the index can satisfy is taken, in the newest version. Essential
 * packages are not implied, Recommends and Conflicts are not looked at: the files are unpacked, never installed.
 *
 * Throws `input` naming what cannot be had and who asks for it.
 */
export function dependencyClosure(
  requested: readonly string[],
  index: PackageIndex,
  where: string,
): Package[] {
  const chosen = new Map<string, Package>();
  const pending: Package[] = [];
  const choose = (item: Package) => {
    if (chosen.has(item.name)) return;
    chosen.set(item.name, item);
    pending.push(item);
  };
  for (const name of requested) {
    const [found] = candidates(index, { name });
    if (!found) {
      throw new SextantError('input', `Debian package ${name} is not in ${where}`, {
        hint: 'check the name at https://packages.debian.org, or name another suite',
      });
    }
    choose(found);
  }
  for (let item = pending.shift(); item; item = pending.shift()) {
    for (const alternatives of parseDependencies(item.depends)) {
      const possible = alternatives.flatMap((alternative) => candidates(index, alternative));
      if (possible.some((candidate) => chosen.get(candidate.name) === candidate)) continue;
      const first = possible.find((candidate) => !chosen.has(candidate.name));
      if (!first) {
        throw new SextantError(
          'input',
          `${where}: ${item.name} ${item.version} needs ${alternatives.map(asText).join(' | ')}, which is not there`,
          { hint: 'the suite is incomplete or being updated; try again later, or name another suite' },
        );
      }
      choose(first);
    }
  }
  return [...chosen.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
