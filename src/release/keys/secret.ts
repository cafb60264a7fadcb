import { SextantError } from '../../support/errors.ts';
import { readPrivate } from './private-file.ts';

/** Environment variables that hold a key's pass phrase or a token's PIN, or name the file that does. */
export const PASSPHRASE = 'SEXTANT_KEY_PASSPHRASE';
export const PASSPHRASE_FILE = 'SEXTANT_KEY_PASSPHRASE_FILE';

/** What to tell a person whose key wants a pass phrase or a PIN. */
export const PASSPHRASE_HINT = `put it in a file that only you can read and set ${PASSPHRASE_FILE}, or set ${PASSPHRASE}`;

/**
 * The pass phrase or PIN that the environment gives, undefined when it gives none. The command line is no place for it: every process sees
 * that. Throws `usage` when both variables are set, `input` for a file that others can read or that is empty.
 */
export async function passphrase(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string | undefined> {
  const { [PASSPHRASE]: given, [PASSPHRASE_FILE]: file } = environment;
  if (given && file) {
    throw new SextantError('usage', `both ${PASSPHRASE} and ${PASSPHRASE_FILE} are set`, {
      hint: 'unset one of them',
    });
  }
  if (!file) return given || undefined;
  const text = (await readPrivate(file)).toString('utf8').replace(/\r?\n$/, '');
  if (text !== '') return text;
  throw new SextantError('input', `${file}: is empty, ${PASSPHRASE_FILE} names it`, {
    hint: PASSPHRASE_HINT,
  });
}
