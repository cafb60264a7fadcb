import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { builtFolder } from '../../sources/built.ts';
import type { Context } from '../../support/context.ts';
import { INSTALLATION, installDisk } from './install.ts';
import { buildKairosInit, PROGRAMS } from './programs.ts';
import { BASE, CORE, makeRoot, packRoot } from './root.ts';

/** A live image: `rootfs.squashfs`, and `vmlinuz` and `initrd` to start it with, in one folder. */
export type LiveImage = string;

/** Raised when the steps that make the image change. */
const RECIPE = 1;

function coreKey() {
  return { kind: 'lab-core', recipe: RECIPE, programs: PROGRAMS, base: BASE, variant: CORE };
}

/** The core image of the lab, made by the real kairos-init, immucore and kairos-agent on Debian; cached by what it is made from. */
export function coreImage(context: Context): Promise<LiveImage> {
  return builtFolder(context, coreKey(), async (folder) => {
    const work = join(folder, 'work');
    await mkdir(work);
    const kairosInit = await buildKairosInit(work, context);
    const root = join(work, 'root');
    await makeRoot(root, kairosInit, CORE, context);
    await packRoot(root, folder, context);
    await rm(work, { recursive: true, force: true });
  });
}

/** The lab's core image installed onto a disk by the real installer: path of a raw disk that nobody may write; cached. */
export async function coreDisk(context: Context): Promise<string> {
  const key = { kind: 'lab-disk', image: coreKey(), installation: INSTALLATION };
  const folder = await builtFolder(context, key, async (made) => {
    const image = await coreImage(context);
    const work = join(made, 'work');
    await installDisk({ folder: image }, join(made, 'disk.raw'), work, context);
    await rm(work, { recursive: true, force: true });
  });
  return join(folder, 'disk.raw');
}
