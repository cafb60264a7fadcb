import { Command, Option } from 'commander';
import type { Context } from '../support/context.ts';

type WithContext = (work: (context: Context) => Promise<void>) => Promise<void>;

const examples = (...lines: string[]) =>
  `\nExample${lines.length === 1 ? '' : 's'}:\n${lines.map((line) => `  ${line}`).join('\n')}`;
const SECRETS = `
A pass phrase or PIN is never given on the command line:
  SEXTANT_KEY_PASSPHRASE_FILE  file that holds it (only its owner may read it)
  SEXTANT_KEY_PASSPHRASE       or the secret itself`;
const bits = (value: string) => Number(value);
const bitsOption = (text: string) => new Option('--bits <number>', text).choices(['2048', '3072', '4096']);
const daysOption = () =>
  new Option('--days <number>', "the certificate's life (systemd ignores it, verify warns)")
    .argParser(bits)
    .default(3650);
const encryptOption = () =>
  new Option('--encrypt', 'encrypt the key file with the pass phrase of the environment');
const tokenOption = (text: string) => new Option('--key <pkcs11-uri>', text);
const load = () => import('./commands/key.ts');

/** `sextant key` and its subcommands. */
export function keyCommand(withContext: WithContext): Command {
  const key = new Command('key')
    .description('keys that sign releases: make them, replace them, look at them')
    .addHelpText(
      'after',
      examples('sextant key create', 'sextant key rotate', 'sextant key show release.crt'),
    );
  key
    .command('create')
    .description(
      'make an RSA key, its certificate and its public key: NAME.key (mode 0600), NAME.crt, NAME.pub',
    )
    .argument('[name]', 'path of the files without ending', 'release')
    .option('--common-name <text>', 'who signs, as people will see it (default: the last part of the name)')
    .addOption(bitsOption('size of the key (default: 4096)'))
    .addOption(daysOption())
    .addOption(encryptOption())
    .addOption(tokenOption('a key that is in a token already: only its certificate is made'))
    .addHelpText(
      'after',
      `${SECRETS}\n${examples(
        'sextant key create',
        "sextant key create keys/edge --common-name 'Edge releases'",
        "sextant key create release --key 'pkcs11:token=release;object=sextant;type=private'",
      )}`,
    )
    .action((name: string, options) => withContext(async () => (await load()).create(name, options)));
  key
    .command('rotate')
    .description('make the key that follows one, and say how nodes come to trust both for a time')
    .argument('[certificate]', 'certificate of the key that is in use', 'release.crt')
    .option('--to <name>', 'path of the new files without ending (default: release-2, release-3, ...)')
    .option('--common-name <text>', 'who signs (default: as before)')
    .addOption(bitsOption('size of the key (default: as before)'))
    .addOption(daysOption())
    .addOption(encryptOption())
    .addOption(tokenOption('the new key is in a token already: only its certificate is made'))
    .addHelpText(
      'after',
      `${SECRETS}\n${examples('sextant key rotate', 'sextant key rotate keys/edge.crt --to keys/edge-2027')}`,
    )
    .action((certificate: string, options) =>
      withContext(async () => (await load()).rotate(certificate, options)),
    );
  key
    .command('show')
    .description('subject, fingerprint and dates of a key, and what it signed in a release')
    .argument('[certificate]', 'the .crt file', 'release.crt')
    .option('--release <folder>', 'a built release: which of its files this key signed')
    .option('--trusted-boot <folder>', 'write the files that a trusted boot image is made with')
    .option('--json', 'the same facts as JSON on stdout')
    .addHelpText(
      'after',
      examples(
        'sextant key show',
        'sextant key show release.crt --release dist',
        'sextant key show release.crt --trusted-boot uki-keys',
      ),
    )
    .action((certificate: string, options) =>
      withContext(async () => (await load()).show(certificate, options)),
    );
  return key;
}
