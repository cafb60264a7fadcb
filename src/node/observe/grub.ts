import type { Host } from '../host/host.ts';
import type { GrubFacts } from '../model/observation.ts';

const HEAD = '# GRUB Environment Block\n';

/**
 * Variables of a GRUB environment block: the header, `name=value` lines with backslash escapes, filled up with `#`
 * (https://www.gnu.org/software/grub/manual/grub/html_node/Environment-block.html). Empty for what is no such block: GRUB ignores it too.
 */
export function grubVariables(text: string): ReadonlyMap<string, string> {
  if (!text.startsWith(HEAD)) return new Map();
  const lines = text.slice(HEAD.length).split(/(?<!\\)\n/);
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const equals = line.indexOf('=');
      if (line.startsWith('#') || equals < 1) return [];
      return [[line.slice(0, equals), line.slice(equals + 1).replace(/\\([\s\S])/g, '$1')]];
    }),
  );
}

export function readGrubVariables(host: Host, path: string): ReadonlyMap<string, string> {
  return grubVariables(host.readText(path, 64 * 1024) ?? '');
}

/** What Kairos' boot assessment left (kairos-init, 08_grub.yaml); `state` is the folder of COS_STATE, undefined where there is none. */
export function grubFacts(host: Host, state: string | undefined): GrubFacts {
  const commandLine = (host.readText('/proc/cmdline') ?? '').trim().split(/\s+/);
  const variables = state === undefined ? new Map() : readGrubVariables(host, `${state}/boot_assessment`);
  return {
    upgradeFailure: commandLine.includes('upgrade_failure'),
    assessing: ['enable_boot_assessment', 'boot_assessment_tentative'].some(
      (name) => variables.get(name) === 'yes',
    ),
  };
}
