/** One assignment of a unit file, in order. */
export interface UnitSetting {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  /** Line of the file, from 1. */
  readonly line: number;
}

export interface UnitFile {
  readonly settings: readonly UnitSetting[];
  /** What systemd would complain about, with line numbers. */
  readonly problems: readonly string[];
}

/**
 * Parses a unit file as systemd.syntax(7) says: sections, `Key=value`, comments by # and ;, a backslash at the end of a line
 * continues it (comments in between are skipped). Never throws.
 */
export function parseUnit(text: string): UnitFile {
  const settings: UnitSetting[] = [];
  const problems: string[] = [];
  let section = '';
  let pending: { text: string; line: number } | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r$/, '');
    const trimmed = line.trim();
    if (trimmed.startsWith('#') || trimmed.startsWith(';')) continue;
    const whole = pending ? `${pending.text} ${trimmed}` : trimmed;
    const at = pending?.line ?? index + 1;
    if (line.endsWith('\\')) {
      pending = { text: whole.slice(0, -1).trimEnd(), line: at };
      continue;
    }
    pending = undefined;
    if (whole === '') continue;
    const header = /^\[(.*)\]$/.exec(whole);
    if (header) {
      section = header[1] ?? '';
      continue;
    }
    const equals = whole.indexOf('=');
    if (equals <= 0) problems.push(`line ${at}: neither a section nor an assignment`);
    else if (section === '') problems.push(`line ${at}: an assignment before the first section`);
    else {
      const key = whole.slice(0, equals).trim();
      settings.push({ section, key, value: whole.slice(equals + 1).trim(), line: at });
    }
  }
  if (pending) problems.push(`line ${pending.line}: the last line ends in a backslash`);
  return { settings, problems };
}

/** The values in force for a list setting: an empty assignment clears what came before (systemd.syntax(7)). */
export function values(unit: UnitFile, section: string, key: string): string[] {
  let list: string[] = [];
  for (const setting of unit.settings) {
    if (setting.section !== section || setting.key !== key) continue;
    list = setting.value === '' ? [] : [...list, setting.value];
  }
  return list;
}

/** True for a service that ends by itself and is then inactive: Upholds= would start it again and again. */
export function endsByItself(unit: UnitFile): boolean {
  const type = values(unit, 'Service', 'Type').at(-1);
  const stays = /^(1|yes|y|true|t|on)$/i.test(values(unit, 'Service', 'RemainAfterExit').at(-1) ?? '');
  return type === 'oneshot' && !stays;
}

/** The program of an Exec line without its prefixes (systemd.service(5)); undefined where it is not a plain word. */
export function execProgram(value: string): { program: string; optional: boolean } | undefined {
  const match = /^([-@:+!|]*)\s*("?)([^\s"]+)\2/.exec(value);
  if (!match?.[3] || match[3].includes('$') || match[3].includes('%')) return undefined;
  return { program: match[3], optional: match[1]?.includes('-') ?? false };
}

/** The unit file that a unit is read from: an instance's template, otherwise itself. */
export function unitFileName(unit: string): string {
  return unit.replace(/@[^@]+(\.[a-z]+)$/, '@$1');
}
