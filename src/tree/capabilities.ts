import { SextantError } from '../support/errors.ts';
import { run } from '../support/subprocess.ts';

/**
 * A line for each file below the folders that has file capabilities (capabilities(7)): an image carries no extended attributes, so
 * a node would not have them. Node.js cannot read extended attributes: `getcap` is the command that does. Throws `tool` without it, since
 * capabilities must not get lost unsaid.
 */
export async function capabilityWarnings(
  getcap: readonly string[],
  folders: readonly string[],
  signal?: AbortSignal,
): Promise<string[]> {
  const [program, ...leading] = getcap;
  if (program === undefined) {
    throw new SextantError('tool', 'getcap: program not found; file capabilities could get lost unseen', {
      hint: 'add libcap2-bin to hook.rootPackages in the recipe, or install it here: apt-get install -y libcap2-bin',
    });
  }
  const warnings: string[] = [];
  for (const folder of folders) {
    const { stdout } = await run(program, [...leading, '-r', folder], { ...(signal ? { signal } : {}) });
    for (const line of stdout.toString('utf8').split('\n')) {
      if (!line.startsWith(`${folder}/`)) continue;
      warnings.push(
        `${line.slice(folder.length)}: file capabilities are not carried; give them in the unit (AmbientCapabilities=)`,
      );
    }
  }
  return warnings;
}
