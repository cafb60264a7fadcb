import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunResult, run, shellText } from '../../src/support/subprocess.ts';
import { toolsRoot } from '../tools-root.ts';
import { lay, type Shape } from './fixtures.ts';

/** The judges' Debian trixie (systemd 257) where it was made, otherwise this machine's own system. */
export function baseRoot(): string {
  return existsSync(join(toolsRoot, 'usr/bin/systemd-analyze')) ? toolsRoot : '/';
}

/**
 * Runs a command in a root where the tree lies over a system, as systemd-sysext merges it, in mount and process namespaces of its
 * own. `more` is laid over both. What is then different from the system is in `written`. Every exit code is a result.
 */
export async function inMergedRoot(
  folder: string,
  tree: string,
  more: Shape,
  command: readonly string[],
): Promise<RunResult & { readonly written: string }> {
  const written = join(folder, 'written');
  await mkdir(written);
  const node = await lay(join(folder, 'node'), more);
  // A file system of its own, because the layers of an overlay must not lie in one another.
  const space = join(folder, 'space');
  await mkdir(space);
  const layers = `lowerdir=${baseRoot()},upperdir=${space}/upper,workdir=${space}/work`;
  const script = join(folder, 'enter.sh');
  await writeFile(
    script,
    `set -eu
mount -t tmpfs tmpfs ${space}
mkdir ${space}/upper ${space}/work ${space}/root
cp -a ${tree}/. ${node}/. ${space}/upper
mount -t overlay overlay -o ${layers} ${space}/root
mount -t proc proc ${space}/root/proc
mount --rbind /dev ${space}/root/dev
mount -t tmpfs tmpfs ${space}/root/run
code=0
${shellText('chroot', [`${space}/root`, ...command])} || code=$?
cp -a ${space}/upper/. ${written}
exit $code
`,
  );
  const namespaces = [...(process.getuid?.() === 0 ? [] : ['--map-root-user']), '--mount', '--pid', '--fork'];
  const result = await run('unshare', [...namespaces, 'sh', script], {
    okCodes: Array.from({ length: 256 }, (_, code) => code),
    timeoutSeconds: 300,
  });
  return { ...result, written };
}
