import { posix } from 'node:path';
import { readText } from './content.ts';
import { isUnitName } from './disposition.ts';
import type { Planned } from './plan.ts';
import { merged } from './programs.ts';
import { HIERARCHIES, UNIT_FOLDER } from './rules.ts';
import { endsByItself, execProgram, parseUnit, type UnitFile, unitFileName, values } from './units.ts';
import { byBytes, printable } from './walk.ts';

const EXEC_KEYS = [
  'ExecCondition',
  'ExecStartPre',
  'ExecStart',
  'ExecStartPost',
  'ExecReload',
  'ExecStop',
  'ExecStopPost',
];

export interface CarriedUnits {
  /** Names of the units the extension carries, templates as NAME@.service; sorted. */
  readonly names: readonly string[];
  readonly warnings: readonly string[];
  /** Whether a unit ends by itself; false for one that the extension does not carry. */
  endsByItself(unit: string): boolean;
  has(unit: string): boolean;
}

/** Reads the units of the tree and says what systemd would stumble over on a node. */
export async function carriedUnits(planned: readonly Planned[]): Promise<CarriedUnits> {
  const byPath = new Map(planned.map((entry) => [entry.path, entry]));
  const onNode = new Set(planned.flatMap((entry) => [entry.path, ...(entry.from ? [entry.from] : [])]));
  const parsed = new Map<string, UnitFile>();
  const names = new Set<string>();
  const warnings: string[] = [];
  for (const entry of planned) {
    const inUnitFolder = posix.dirname(entry.path) === UNIT_FOLDER && isUnitName(posix.basename(entry.path));
    const dropIn =
      entry.path.startsWith(`${UNIT_FOLDER}/`) &&
      /^[^/]+\.d\/[^/]+\.conf$/.test(entry.path.slice(UNIT_FOLDER.length + 1));
    if (inUnitFolder) names.add(posix.basename(entry.path));
    if (entry.kind !== 'file' || !(inUnitFolder || dropIn)) continue;
    const unit = parseUnit(await readText(entry));
    if (inUnitFolder) parsed.set(posix.basename(entry.path), unit);
    warnings.push(...unit.problems.map((problem) => `${entry.path}: ${problem}`));
    warnings.push(...execWarnings(entry, unit, byPath), ...environmentWarnings(entry, unit, onNode));
  }
  const read = (unit: string) => parsed.get(unit) ?? parsed.get(unitFileName(unit));
  return {
    names: [...names].sort(byBytes),
    warnings,
    endsByItself: (unit) => {
      const file = read(unit);
      return file !== undefined && endsByItself(file);
    },
    has: (unit) => names.has(unit) || names.has(unitFileName(unit)),
  };
}

function execWarnings(entry: Planned, unit: UnitFile, byPath: ReadonlyMap<string, Planned>): string[] {
  return EXEC_KEYS.flatMap((key) =>
    values(unit, 'Service', key).flatMap((value) => {
      const exec = execProgram(value);
      if (!exec?.program.startsWith('/')) return [];
      const { program } = exec;
      const carried = byPath.get(merged(program));
      const says = `${entry.path}: ${key}=${printable(value)}`;
      if (carried?.kind === 'file') {
        return carried.mode & 0o111 ? [] : [`${says}: ${carried.path} is not executable`];
      }
      // A core image has many programs of its own in these two; elsewhere nobody but the extension could bring it.
      const unlikely = !/^\/usr\/s?bin\//.test(merged(program)) && !program.startsWith('/usr/lib/');
      if (carried !== undefined || exec.optional || !unlikely) return [];
      const deliverable = HIERARCHIES.some((folder) => program.startsWith(`${folder}/`));
      return [`${says}: the extension ${deliverable ? 'does not carry' : 'cannot deliver'} this program`];
    }),
  );
}

function environmentWarnings(entry: Planned, unit: UnitFile, onNode: ReadonlySet<string>): string[] {
  return values(unit, 'Service', 'EnvironmentFile')
    .filter((value) => !value.startsWith('-') && !/[%*?[]/.test(value) && !onNode.has(value))
    .map(
      (value) =>
        `${entry.path}: EnvironmentFile=${printable(value)} is required but the extension does not bring it`,
    );
}
