import { Command, Option } from 'commander';
import type { Context } from '../support/context.ts';

type WithContext = (work: (context: Context) => Promise<void>) => Promise<void>;

const examples = (...lines: string[]) =>
  `\nExample${lines.length === 1 ? '' : 's'}:\n${lines.map((line) => `  ${line}`).join('\n')}`;
const jsonOption = () => new Option('--json', 'the same facts as JSON on stdout');
const keyOption = () =>
  new Option(
    '--key <file|uri>',
    'private key that signs the catalog: a PEM file, or the pkcs11: address of one in a token',
  );
const unsignedOption = () => new Option('--unsigned', 'leave a catalog unsigned that was signed');
const nameOption = () => new Option('--name <extension>', 'which extension, where several have this version');
const load = () => import('./commands/catalog.ts');

/** `sextant catalog` and its subcommands. */
export function catalogCommand(withContext: WithContext): Command {
  const catalog = new Command('catalog')
    .enablePositionalOptions()
    .description('a list of releases that nodes and Kairos choose from: add to it, yank, sign, look, check')
    .addHelpText(
      'after',
      examples(
        'sextant catalog add catalog dist --key catalog.key',
        'sextant catalog yank catalog v1.36.2+k3s1 --why "breaks IPv6" --key catalog.key',
        'sextant catalog check https://example.org/k8s --trust catalog.pub',
      ),
    );
  catalog
    .command('add')
    .description('add releases to the catalog in a folder, which is made where there is none')
    .argument('<catalog>', 'folder of the catalog')
    .argument('<release...>', 'folder or address of a release')
    .option(
      '--address <address>',
      "where nodes find the release: an address, or one relative to the catalog's (default: what it was built for)",
    )
    .option(
      '--oci <architecture=reference...>',
      'artifact that Kairos installs: amd64=REGISTRY/NAME@sha256:...',
    )
    .option('--published <file>', 'the same out of what `sextant publish oci://... --json` wrote')
    .option('--title <text>', 'what a new catalog is called')
    .option('--minimum-kairos <version>', 'oldest Kairos it is for', 'v3.5.0')
    .option('--replace', 'another build of a version that the catalog has')
    .addOption(keyOption())
    .addOption(unsignedOption())
    .addHelpText(
      'after',
      examples(
        'sextant catalog add catalog dist --key catalog.key',
        'sextant catalog add catalog https://example.org/k8s/v1.36.3+k3s1',
        'sextant catalog add catalog dist --published published.json --key catalog.key',
        'sextant catalog add catalog dist --oci amd64=registry.example.org/k8s@sha256:...',
      ),
    )
    .action((folder: string, releases: string[], options) =>
      withContext(async (context) => (await load()).add(folder, releases, options, context)),
    );
  catalog
    .command('yank')
    .description('mark a release that nobody should install any more; it stays listed, with the reason')
    .argument('<catalog>', 'folder of the catalog')
    .argument('<version>', 'of the release')
    .option('--why <reason>', 'one line that people and nodes are shown')
    .option('--undo', 'take the mark back')
    .addOption(nameOption())
    .addOption(keyOption())
    .addOption(unsignedOption())
    .addHelpText(
      'after',
      examples(
        'sextant catalog yank catalog v1.36.2+k3s1 --why "breaks IPv6" --key catalog.key',
        'sextant catalog yank catalog v1.36.2+k3s1 --undo --key catalog.key',
      ),
    )
    .action((folder: string, version: string, options) =>
      withContext(async () => (await load()).yank(folder, version, options)),
    );
  catalog
    .command('sign')
    .description('sign a catalog as it is: for the first time, or by the key that follows another one')
    .argument('<catalog>', 'folder of the catalog')
    .addOption(keyOption())
    .option('--trust <file>', 'PEM certificates or public keys of which one must have signed it until now')
    .addHelpText('after', examples('sextant catalog sign catalog --key catalog-2.key --trust catalog.crt'))
    .action((folder: string, options) => withContext(async () => (await load()).sign(folder, options)));
  catalog
    .command('show')
    .description('list the releases of a catalog, or show one')
    .argument('<catalog>', 'folder or address')
    .argument('[version]', 'of a release')
    .addOption(nameOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('sextant catalog show catalog', 'sextant catalog show catalog v1.36.3+k3s1'),
    )
    .action((place: string, version: string | undefined, options) =>
      withContext(async (context) => (await load()).show(place, version, options, context)),
    );
  catalog
    .command('check')
    .description('hold a catalog against its signature and what lies beside it; exit code 0 or 4')
    .argument('<catalog>', 'folder or address')
    .option('--trust <file>', 'PEM certificates or public keys of which one must have signed it')
    .option('--seen <serial>', 'a serial that was seen before: an older catalog is refused')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        'sextant catalog check catalog --trust catalog.pub',
        'sextant catalog check https://example.org/k8s --trust catalog.pub --seen 41',
      ),
    )
    .action((place: string, options) =>
      withContext(async (context) => (await load()).check(place, options, context)),
    );
  return catalog;
}

/** `sextant site`. */
export function siteCommand(withContext: WithContext): Command {
  return new Command('site')
    .description(
      'render a catalog as a static site: every release, what changed, and the file that brings it to a node',
    )
    .argument('<catalog>', 'folder of the catalog')
    .option('-o, --output <folder>', 'where the site goes', 'site')
    .option('--url <address>', 'address that the site will be served from, for what Kairos is told')
    .option('--trust <file>', 'PEM certificates or public keys of which one must have signed the catalog')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('sextant site catalog', 'sextant site catalog --output public --url https://example.org/k8s'),
    )
    .action((folder: string, options) =>
      withContext(async (context) => (await import('./commands/site.ts')).site(folder, options, context)),
    );
}
