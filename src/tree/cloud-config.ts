import { parse } from 'yaml';
import { readText } from './content.ts';
import type { Planned } from './plan.ts';
import { CLOUD_CONFIG_FOLDER } from './rules.ts';

const STAGE = /^sextant(\.before|\.after)?$/;

/** Lines about cloud-config of the extension that would do nothing on a node, and why. */
export async function cloudConfigWarnings(planned: readonly Planned[]): Promise<string[]> {
  const warnings: string[] = [];
  for (const entry of planned) {
    if (!entry.path.startsWith(`${CLOUD_CONFIG_FOLDER}/`) || entry.kind === 'folder') continue;
    const problem = await problemOf(entry);
    if (problem !== undefined) warnings.push(`${entry.path}: ${problem}`);
  }
  return warnings;
}

async function problemOf(entry: Planned): Promise<string | undefined> {
  if (entry.kind === 'link') return 'a link is not used; carry the file itself';
  if (!/^[^/]+\.ya?ml$/.test(entry.path.slice(CLOUD_CONFIG_FOLDER.length + 1))) {
    return 'only *.yaml directly in this folder is used';
  }
  let value: unknown;
  try {
    value = parse(await readText(entry));
  } catch (error) {
    return `not YAML: ${(error as Error).message.split('\n')[0]}`;
  }
  const stages = (value as { stages?: unknown } | null)?.stages;
  const names = typeof stages === 'object' && stages !== null ? Object.keys(stages) : [];
  const unused = names.filter((name) => !STAGE.test(name));
  if (names.length === unused.length)
    return 'it has no stage "sextant", the only one that runs from an extension';
  return unused.length === 0 ? undefined : `the stages ${unused.join(', ')} do not run from an extension`;
}
