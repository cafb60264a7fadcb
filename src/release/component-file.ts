import { realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';

/** A file of a component's folder by its name in it; undefined when there is none, or when a link leads out of the folder. */
export async function componentFile(folder: string, name: string): Promise<string | undefined> {
  const path = await realpath(join(folder, name)).catch(() => undefined);
  if (path === undefined || !path.startsWith((await realpath(folder)) + sep)) return undefined;
  return (await stat(path)).isFile() ? path : undefined;
}
