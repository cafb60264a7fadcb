import { toSextantError } from '../support/errors.ts';
import { run } from '../support/subprocess.ts';

/**
 * A line for each file below the folders that has file capabilities (capabilities(7)): an image carries no extended attributes, so
 * a node would not have them. Reads them with getcap; without that program nothing is known and nothing said.
 */
export async function capabilityWarnings(
  folders: readonly string[],
  signal?: AbortSignal,
): Promise<string[]> {
  const warnings: string[] = [];
  for (const folder of folders) {
    try {
      const { stdout } = await run('getcap', ['-r', folder], { ...(signal ? { signal } : {}) });
      for (const line of stdout.toString('utf8').split('\n')) {
        if (!line.startsWith(`${folder}/`)) continue;
        warnings.push(
          `${line.slice(folder.length)}: file capabilities are not carried; give them in the unit (AmbientCapabilities=)`,
        );
      }
    } catch (error) {
      if (toSextantError(error).code === 'tool') return warnings;
      throw error;
    }
  }
  return warnings;
}
