import { type Command, JSON_OPTION } from '../cli/command.ts';
import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { folderOf } from '../model/paths.ts';
import { title } from '../model/words.ts';
import { isStrict } from '../observe/policy.ts';
import { exclusively, readRecords } from '../records-file.ts';
import { requireRoot } from '../session.ts';
import { configsWith, type Trusted, trustedCertificates } from './certificates-facts.ts';
import { printable, wrap } from './text.ts';

/** What can be taken away; the other folders are the operating system's. */
const REMOVABLE = /^\/(etc|run)\//;

/** Whose signatures this node takes, what each certificate vouches for, and revoking one. */
export const certificates: Command = {
  name: 'certificates',
  summary: 'whose signatures this node takes, and what each vouches for; takes one away',
  words: [],
  options: [
    {
      name: 'remove',
      value: 'FINGERPRINT',
      summary: 'take it away: what its key signed is refused from then on',
    },
    { name: 'force', summary: 'also when a generation that is kept would be lost' },
    JSON_OPTION,
  ],
  run({ host, options }) {
    requireRoot(host, 'certificates');
    const wanted = options.get('remove');
    if (wanted === undefined) {
      if (options.has('force'))
        throw new Failure(
          'usage',
          'certificates: --force is for --remove',
          'sextant-node certificates --help',
        );
      show(host, options.has('json'));
    } else exclusively(host, 30, () => remove(host, wanted, options.has('force')));
    return 0;
  },
};

function show(host: Host, json: boolean): void {
  const strict = isStrict(host);
  const trusted = trustedCertificates(host, readRecords(host).records);
  const ids = (pairs: Trusted['signed']) => pairs.map(({ id }) => id);
  if (json) {
    const all = trusted.map((one) => ({ ...one, signed: ids(one.signed), alone: ids(one.alone) }));
    host.out(`${JSON.stringify({ strict, certificates: all })}\n`);
    return;
  }
  host.out(
    strict
      ? 'Only extensions signed by one of these are merged.\n'
      : 'Signatures are not demanded on this boot.\n',
  );
  if (trusted.length === 0) host.out('No certificate is on this node.\n');
  for (const { fingerprint, subject, until, paths, signed, alone } of trusted) {
    host.out(`\n${fingerprint}\n`);
    host.out(
      wrap(`  ${printable(subject)}, dates end ${printable(until)} (systemd does not look at them)`, '    '),
    );
    host.out(wrap(`  in ${paths.join(', ')}`, '    '));
    host.out(
      wrap(
        `  ${signed.length === 0 ? 'vouches for no generation that is kept' : `vouches for ${signed.map(title).join(', ')}`}`,
        '    ',
      ),
    );
    if (alone.length > 0)
      host.out(wrap(`  alone for ${alone.map(({ id }) => id).join(', ')}: lost without it`, '    '));
  }
}

function remove(host: Host, wanted: string, force: boolean): void {
  const { subject, paths, alone } = theOne(host, wanted);
  const strict = isStrict(host);
  const lost = alone.map(title).join(', ');
  if (strict && alone.length > 0 && !force)
    throw new Failure(
      'refused',
      `${paths.join(', ')}: without it ${lost} would be lost: no other certificate vouches for ${alone.length === 1 ? 'it' : 'them'}`,
      'upgrade to a release of another key and let it become good first, or add --force',
    );
  const configs = configsWith(host, host.readText(paths[0] ?? '') ?? '');
  for (const path of paths) {
    host.unlink(path);
    host.sync(folderOf(path));
  }
  host.out(wrap(`Taken away: ${printable(subject)}, ${paths.join(', ')}.`));
  if (alone.length > 0)
    host.out(
      wrap(
        strict
          ? `Lost from the next merge on: ${lost}.`
          : `${lost} has no other signature; signatures are not demanded on this boot.`,
      ),
    );
  for (const config of configs)
    host.out(wrap(`${config} writes it again at the next boot: put an activation without it in its place.`));
}

/** The certificate whose fingerprint begins so, where it can be taken away. */
function theOne(host: Host, wanted: string): Trusted {
  const hint = 'see: sextant-node certificates';
  const fingerprint = wanted.replaceAll(':', '').toLowerCase();
  if (!/^[0-9a-f]{8,64}$/.test(fingerprint))
    throw new Failure(
      'usage',
      `certificates: "${printable(wanted)}" is no fingerprint of 8 digits or more`,
      hint,
    );
  const found = trustedCertificates(host, readRecords(host).records).filter((one) =>
    one.fingerprint.startsWith(fingerprint),
  );
  const [one] = found;
  if (one === undefined) throw new Failure('input', `${wanted}: no certificate of this node`, hint);
  if (found.length > 1) throw new Failure('input', `${wanted}: several certificates begin so`, hint);
  const fixed = one.paths.find((path) => !REMOVABLE.test(path));
  if (fixed === undefined) return one;
  throw new Failure(
    'refused',
    `${fixed}: belongs to the operating system`,
    'upgrade to one that does not have it',
  );
}
