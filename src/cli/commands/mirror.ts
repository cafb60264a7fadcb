import { mirrorRecipe } from '../../release/mirror/index.ts';
import { ARCHITECTURES, type Architecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { bytesText } from '../../support/progress.ts';
import { commandName } from '../name.ts';

interface MirrorOptions {
  readonly recipe: string;
  readonly output: string;
  readonly url?: string;
  readonly host?: readonly Architecture[];
  readonly release?: readonly string[];
  readonly json?: boolean;
}

/** Fills a folder that takes the network's place for a recipe, and says how to use it. */
export async function mirror(options: MirrorOptions, context: Context): Promise<void> {
  if (/^oci:/.test(options.output)) {
    throw new SextantError('usage', `--output ${options.output}: a mirror is a folder`, {
      hint: 'mirror into a folder and serve it by any web server; releases go into a registry by `sextant publish`',
    });
  }
  if (options.url !== undefined && !/^(https?|file):\/\//.test(options.url)) {
    throw new SextantError('usage', `--url ${options.url}: not an http or https address`, {
      hint: 'give the address that the folder will be served at: https://mirror.example.org/sextant',
    });
  }
  const made = await mirrorRecipe({
    recipe: options.recipe,
    output: options.output,
    hosts: options.host ?? ARCHITECTURES,
    releases: options.release ?? [],
    context,
    ...(options.url === undefined ? {} : { url: options.url }),
  });
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ folder: options.output, ...made })}\n`);
    return;
  }
  const lines = [
    `${options.output}: ${made.files} files, ${bytesText(made.bytes)}; ${made.written} of them new`,
    '',
    'In the closed network:',
    `  serve the folder at ${made.base}, then build from the recipe in it:`,
    `    ${commandName()} release --recipe ${options.output}/${made.recipe}`,
    ...made.releases.map(({ name, activation }) =>
      activation === undefined
        ? `  releases/${name}: the release as it was published`
        : `  ${activation}: brings releases/${name} to a node`,
    ),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
