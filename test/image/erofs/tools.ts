import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toolsRoot } from '../../tools-root.ts';

const LOADERS: Readonly<Partial<Record<NodeJS.Architecture, [string, string]>>> = {
  x64: ['lib64/ld-linux-x86-64.so.2', 'x86_64-linux-gnu'],
  arm64: ['lib/ld-linux-aarch64.so.1', 'aarch64-linux-gnu'],
};

/**
 * Program and leading arguments that run a tool of Debian trixie's erofs-utils from the folder that tools/judges.sh makes
 * (`$SEXTANT_TOOLS`, else `<cache>/judges/trixie`), with that folder's own loader and libraries: no chroot, no root.
 */
export function erofsTool(name: 'mkfs.erofs' | 'fsck.erofs'): [string, ...string[]] {
  const program = join(toolsRoot, 'usr/bin', name);
  const loader = LOADERS[process.arch];
  if (!loader || !existsSync(program)) throw new Error(`${program} is missing: run tools/judges.sh`);
  const [interpreter, triplet] = loader;
  return [
    join(toolsRoot, 'usr', interpreter),
    '--library-path',
    join(toolsRoot, 'usr/lib', triplet),
    program,
  ];
}
