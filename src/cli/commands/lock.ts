import { openRecipe } from '../../release/open.ts';
import type { Architecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';
import { bytesText } from '../../support/progress.ts';

interface LockOptions {
  readonly recipe: string;
  readonly arch?: readonly Architecture[];
  readonly update?: true | readonly string[];
  readonly json?: boolean;
}

/** Writes the lock where it is missing, stale or to be updated, and says what it pins. */
export async function lock(options: LockOptions, context: Context): Promise<void> {
  const {
    lock: written,
    lockFile,
    locked,
  } = await openRecipe({
    recipe: options.recipe,
    context,
    frozen: false,
    ...(options.arch === undefined ? {} : { architectures: options.arch }),
    ...(options.update === undefined
      ? {}
      : { update: options.update === true ? ('all' as const) : options.update }),
  });
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ file: lockFile, written: locked, lock: written })}\n`);
    return;
  }
  const sizes = new Map<string, number>();
  const count = (blobs: readonly { sha256: string; size: number }[]) => {
    for (const { sha256, size } of blobs) sizes.set(sha256, size);
  };
  for (const held of Object.values(written.architectures)) {
    for (const { inputs } of held.components) count(inputs);
    count(held.hookDownloads);
  }
  for (const tool of [written.tools.erofs, written.tools.qemu, written.tools.hookRoot]) {
    for (const { inputs } of Object.values(tool)) count(inputs);
  }
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  process.stdout.write(
    `${lockFile}: ${locked ? 'written' : 'fits the recipe, unchanged'}; pins ${sizes.size} files, ${bytesText(bytes)}, ` +
      `${written.distribution.name} ${written.distribution.version}\n`,
  );
}
