import { buildSite } from '../../release/site/build.ts';
import type { Context } from '../../support/context.ts';
import { bytesText } from '../../support/progress.ts';

interface SiteOptions {
  readonly output: string;
  readonly url?: string;
  readonly trust?: string;
  readonly json?: boolean;
}

/** Renders the site of a catalog and says what to do with it. */
export async function site(
  catalog: string,
  { json, ...options }: SiteOptions,
  context: Context,
): Promise<void> {
  const { pages, size } = await buildSite({ catalog, ...options, context });
  if (json) {
    process.stdout.write(`${JSON.stringify({ output: options.output, pages, size })}\n`);
    return;
  }
  process.stdout.write(
    `${options.output}: ${pages} pages, ${bytesText(size)}\nnext: open ${options.output}/index.html, or serve the folder as it is; the catalog is in it\n`,
  );
}
