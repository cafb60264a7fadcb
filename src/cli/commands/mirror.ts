import { mirrorToFolder } from '../../release/mirror/folder.ts';
import { mirrorToRegistry, RECIPE_TAG } from '../../release/mirror/registry.ts';
import type { Mirrored, MirrorRequest } from '../../release/mirror/types.ts';
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
  readonly catalog?: string;
  readonly json?: boolean;
}

/** Fills a folder or a repository of a registry that takes the network's place for a recipe, and says how to use it. */
export async function mirror(options: MirrorOptions, context: Context): Promise<void> {
  const { output, url } = options;
  const request: MirrorRequest = {
    recipe: options.recipe,
    hosts: options.host ?? ARCHITECTURES,
    releases: options.release ?? [],
    context,
    ...(options.catalog === undefined ? {} : { catalog: options.catalog }),
  };
  if (/^oci:/.test(output)) {
    if (url !== undefined) {
      throw new SextantError('usage', `--url ${url}: a registry is asked at its own address`, {
        hint: 'leave --url away; it is for a folder that a web server serves',
      });
    }
    const made = await mirrorToRegistry({ ...request, output });
    const { repository, tags } = made;
    say(options, made, [
      `${repository}: ${made.files} files, ${bytesText(made.bytes)}; ${made.written} blobs new; tags ${tags.join(', ')}`,
      '',
      'In the closed network:',
      `  oras pull ${repository}:${RECIPE_TAG}    # the recipe and activation files`,
      `  ${commandName()} release --recipe ${made.recipe}`,
      ...made.releases.map(({ name, activation }) => `  ${activation}: brings ${name} to a node`),
      ...nodes(made, `oci://${repository}:catalog`, `oci://${repository}`),
    ]);
    return;
  }
  if (url !== undefined && !/^(https?|file):\/\//.test(url)) {
    throw new SextantError('usage', `--url ${url}: not an http or https address`, {
      hint: 'give the address that the folder will be served at: https://mirror.example.org/sextant',
    });
  }
  const made = await mirrorToFolder({ ...request, output, ...(url === undefined ? {} : { url }) });
  say(options, { folder: output, ...made }, [
    `${output}: ${made.files} files, ${bytesText(made.bytes)}; ${made.written} of them new`,
    '',
    'In the closed network:',
    `  serve the folder at ${made.base}, then build from the recipe in it:`,
    `    ${commandName()} release --recipe ${output}/${made.recipe}`,
    ...made.releases.map(({ name, activation }) =>
      activation === undefined
        ? `  releases/${name}: the release as it was published`
        : `  ${activation}: brings releases/${name} to a node`,
    ),
    ...(made.base.startsWith('file:') ? [] : nodes(made, `${made.base}/catalog`, made.base)),
  ]);
}

/** What nodes that choose by the mirror's catalog are told. */
function nodes({ catalog }: Mirrored, address: string, mirrored: string): string[] {
  if (catalog === undefined) return [];
  return [
    `  catalog, serial ${catalog}; settings of nodes: {"catalog": {"address": "${address}", "mirror": "${mirrored}", "trust": ...}}`,
  ];
}

function say({ json }: MirrorOptions, facts: object, lines: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(facts)}\n` : `${lines.join('\n')}\n`);
}
