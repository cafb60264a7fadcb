import { SextantError } from '../support/errors.ts';

/** SOURCE_DATE_EPOCH (reproducible-builds.org), seconds since 1970; undefined where it is not set. Throws `usage` for what is no time. */
export function sourceDateEpoch(): number | undefined {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given === undefined || given === '') return undefined;
  if (/^\d{1,11}$/.test(given)) return Number(given);
  throw new SextantError('usage', `SOURCE_DATE_EPOCH is "${given}"`, {
    hint: 'give whole seconds since 1970, or unset it',
  });
}
