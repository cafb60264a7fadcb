import { generation } from './change.ts';
import { type Choice, isWhole } from './choose.ts';
import type { Observation } from './observation.ts';
import { storeFile } from './paths.ts';
import type { Generation, Records } from './types.ts';

/** Sentences for people about a choice. */

export function title(pair: Pick<Generation, 'id' | 'kubernetes' | 'osName'>): string {
  return `generation ${pair.id} (Kubernetes ${pair.kubernetes} on ${pair.osName})`;
}

/** Paths of a pair's files that are not in the store, as one phrase; empty when all are there. */
export function missingFiles(pair: Generation, observation: Observation): string {
  const missing = pair.files.filter(({ sha256 }) => !observation.whole.includes(sha256)).map(storeFile);
  return missing.length === 0
    ? ''
    : `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing or cut short`;
}

/** What would have been better and could not be had, because files are missing. */
function lost(records: Records, chosen: Generation | undefined, observation: Observation): string {
  const worth = records.generations.filter(
    (pair) =>
      pair !== chosen &&
      pair.os === observation.os &&
      (pair.id === records.wanted || pair.state === 'good') &&
      !isWhole(pair.files, observation),
  );
  return worth.map((pair) => `; ${title(pair)} cannot run: ${missingFiles(pair, observation)}`).join('');
}

export function whyOf(
  choice: Choice,
  records: Records,
  pair: Generation | undefined,
  observation: Observation,
): string {
  const limit = records.settings.tries;
  const also = lost(records, pair, observation);
  const name = pair ? title(pair) : '';
  switch (choice.kind) {
    case 'trial':
      return choice.limited
        ? `${name} is on trial, try ${choice.pair.tries + 1} of ${limit}${also}`
        : `${name} is on trial; nothing better is known, so its tries are not counted${also}`;
    case 'new-trial':
      return `${name}: nothing is good with ${observation.osName} yet; the set that is good with ${choice.of.osName} is tried${choice.limited ? `, try 1 of ${limit}` : ''}${also}`;
    case 'good': {
      const kept = choice.pair.state === 'good' ? 'the newest good one' : 'an earlier good one';
      return `${title(choice.pair)} is ${kept} for ${choice.pair.osName}${also}`;
    }
    case 'other-slot':
      return `nothing is good with ${observation.osName}, and ${title(choice.pair)} is good in the ${observation.other?.slot} slot: booting that${also}`;
    case 'last-resort':
    case 'last-resort-new':
      return `${name} runs although it is not good, because nothing good can run here${also}`;
    case 'nothing': {
      if (!observation.writable) return 'nothing may run before it is recorded';
      const wanted = generation(records, records.wanted) ?? records.generations.at(-1);
      const files = wanted ? missingFiles(wanted, observation) : '';
      return wanted
        ? `nothing can run: ${title(wanted)}: ${files || 'the datastore has become newer than it'}; install it again: sextant-node upgrade`
        : 'nothing is recorded that could run: sextant-node adopt';
    }
  }
}
