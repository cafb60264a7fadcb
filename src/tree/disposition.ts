import { ETC_UNIT_FOLDER, FACTORY_FOLDER, RULES, type Rule, UNIT_FOLDER } from './rules.ts';

export type NodeKind = 'file' | 'folder' | 'link';

/** Where one path goes. `path` is its place on the node after the move. */
export type Decision =
  | { readonly outcome: 'delivered'; readonly path: string; readonly rule: Rule }
  | { readonly outcome: 'relocated'; readonly path: string; readonly rule: Rule }
  /** A link X.wants/Y: `by` (X) pulls in `unit` (Y). `path` is the drop-in that says so. */
  | {
      readonly outcome: 'enablement';
      readonly path: string;
      readonly by: string;
      readonly unit: string;
      readonly strength: Strength;
      readonly rule: Rule;
    }
  /** `path` holds the copy, `onNode` is where tmpfiles.d puts it. Folders and links need no copy. */
  | { readonly outcome: 'factory'; readonly path: string; readonly onNode: string; readonly rule: Rule }
  | { readonly outcome: 'dropped'; readonly rule: Rule }
  | { readonly outcome: 'refused'; readonly rule: Rule; readonly reason: string; readonly advice: string };

/** How strongly an enablement link pulls its unit in (systemd.unit(5), the folders of a unit). */
export type Strength = 'wants' | 'requires' | 'upholds';

const UNIT_NAME =
  /^[A-Za-z0-9:_.\\@-]+\.(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)$/;
const UNIT_FOLDERS = [ETC_UNIT_FOLDER, UNIT_FOLDER, '/usr/local/lib/systemd/system'];

/** True for a name that systemd reads as a unit (systemd.unit(5)). */
export function isUnitName(name: string): boolean {
  return UNIT_NAME.test(name);
}

function below(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`);
}

/**
 * What happens to a path that the hook or a component wrote (design decision 2). Pure; the table in rules.ts decides, except for
 * what lies in a unit folder, where the name decides: units and their drop-ins move, enablement links become drop-ins (a new Wants=
 * of a target that is already queued starts nothing after a merge, Upholds= does), anything else is configuration.
 */
export function disposition(path: string, kind: NodeKind, extensionName: string): Decision {
  const enabled = enablement(path, kind, extensionName);
  if (enabled) return enabled;
  const rule = RULES.find((candidate) =>
    candidate.paths.some((prefix) => (candidate.exact ? path === prefix : below(path, prefix))),
  ) as Rule; // The last rule holds for every path.
  const { outcome } = rule;
  switch (outcome.kind) {
    case 'delivered':
      return { outcome: 'delivered', path, rule };
    case 'dropped':
      return { outcome: 'dropped', rule };
    case 'refused':
      return { outcome: 'refused', rule, reason: rule.reason, advice: outcome.advice };
    case 'relocated':
      return { outcome: 'relocated', path: outcome.to + path.slice((rule.paths[0] ?? '').length), rule };
    case 'factory':
      return { outcome: 'factory', path: FACTORY_FOLDER + path, onNode: path, rule };
    case 'units':
      return unitPath(path, kind, rule);
  }
}

function unitPath(path: string, kind: NodeKind, rule: Rule): Decision {
  const inside = path.slice(ETC_UNIT_FOLDER.length + 1);
  const [first = '', ...rest] = inside.split('/');
  const moved = { outcome: 'relocated', path: `${UNIT_FOLDER}/${inside}`, rule } as const;
  if (rest.length === 0 && kind !== 'folder' && isUnitName(first)) return moved;
  // Drop-ins: k3s.service.d/10-x.conf, service.d/10-x.conf, k3s-.service.d/10-x.conf.
  if (rest.length === 1 && /\.d$/.test(first) && rest[0]?.endsWith('.conf') && kind !== 'folder') {
    return moved;
  }
  return { outcome: 'factory', path: FACTORY_FOLDER + path, onNode: path, rule };
}

function enablement(path: string, kind: NodeKind, extensionName: string): Decision | undefined {
  if (kind === 'folder') return undefined;
  const folder = UNIT_FOLDERS.find((candidate) => below(path, candidate));
  if (folder === undefined) return undefined;
  const match = /^([^/]+)\.(wants|requires|upholds)\/([^/]+)$/.exec(path.slice(folder.length + 1));
  const [, by = '', strength = '', unit = ''] = match ?? [];
  if (!isUnitName(by) || !isUnitName(unit)) return undefined;
  const rule = RULES.find((candidate) => candidate.outcome.kind === 'units') as Rule;
  if (kind === 'file') {
    return {
      outcome: 'refused',
      rule,
      reason: 'systemd only looks at links in this folder',
      advice: `make it a link to the unit: ln -s ../${unit}`,
    };
  }
  return {
    outcome: 'enablement',
    path: `${UNIT_FOLDER}/${by}.d/10-${extensionName}-${unit}.conf`,
    by,
    unit,
    strength: strength as Strength,
    rule,
  };
}
