import { buildRelease } from '../../release/build.ts';
import { openRecipe } from '../../release/open.ts';
import { cacheLimit } from '../../sources/cache.ts';
import type { Architecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';
import { releaseReport } from '../report.ts';

interface BuildOptions {
  readonly recipe: string;
  readonly output: string;
  readonly arch?: readonly Architecture[];
  readonly frozen?: boolean;
  readonly json?: boolean;
}

/** Builds a recipe's release and reports what was built from what. */
export async function build(options: BuildOptions, context: Context): Promise<void> {
  const limit = cacheLimit(); // A wrong one is told at once.
  const opened = await openRecipe({
    recipe: options.recipe,
    context,
    frozen: options.frozen === true,
    ...(options.arch === undefined ? {} : { architectures: options.arch }),
  });
  const { release, fresh } = await buildRelease({ ...opened, output: options.output, cacheLimit: limit });
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ folder: options.output, fresh, release })}\n`
      : releaseReport(release, { folder: options.output, recipe: options.recipe, fresh }),
  );
}
