import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../src/support/context.ts';
import { type RunResult, run, shellText } from '../../src/support/subprocess.ts';
import { lay, type Shape } from './fixtures.ts';

/** The judges' Debian trixie (systemd 257) where it was made, otherwise this machine's own system. */
export function baseRoot(): string {
  const folder = process.env.SEXTANT_TOOLS ?? join(cacheFolder(), 'judges/trixie');
  return existsSync(join(folder, 'usr/bin/systemd-analyze')) ? folder : '/';
}

/**
 * Runs a command in a root where the tree lies over a system, as systemd-sysext merges it, in mount and process namespaces of its
 * own. `more` is laid over both. What it writes is in `<folder>/upper` afterwards. Every exit code is a result.
 */
export async function inMergedRoot(
  folder: string,
  tree: string,
  more: Shape,
  command: readonly string[],
): Promise<RunResult & { readonly written: string }> {
  const written = join(folder, 'upper-written');
  const merged = join(folder, 'merged');
  for (const path of [merged, join(folder, 'work')]) await mkdir(path, { recursive: true });
  await lay(written, more);
  const layers = `lowerdir=${tree}:${baseRoot()},upperdir=${written},workdir=${join(folder, 'work')}`;
  const script = join(folder, 'enter.sh');
  await writeFile(
    script,
    `set -eu
${shellText('mount', ['-t', 'overlay', 'overlay', '-o', layers, merged])}
mount -t proc proc '${merged}/proc'
mount --rbind /dev '${merged}/dev'
mount -t tmpfs tmpfs '${merged}/run'
exec ${shellText('chroot', [merged, ...command])}
`,
  );
  const namespaces = [...(process.getuid?.() === 0 ? [] : ['--map-root-user']), '--mount', '--pid', '--fork'];
  const result = await run('unshare', [...namespaces, 'sh', script], {
    okCodes: Array.from({ length: 256 }, (_, code) => code),
    timeoutSeconds: 300,
  });
  return { ...result, written };
}
