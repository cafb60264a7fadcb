import { generation } from './change.ts';
import { decideBoot } from './decide-boot.ts';
import type { Observation } from './observation.ts';
import type { Generation, Records } from './types.ts';
import { missingFiles, title } from './words.ts';

/** What the next boot of the slot that is running now will do, and why: the decision itself, not a second opinion. */
export function explainNextBoot(records: Records, observation: Observation): string {
  const { why } = decideBoot(records, { ...observation, bootId: 'next' });
  const other = observation.other;
  if (!other) return `next boot: ${why}`;
  if (other.os === null)
    return `next boot: ${why}; the ${other.slot} slot's operating system could not be read`;
  const there = decideBoot(records, {
    ...observation,
    bootId: 'next',
    slot: other.slot,
    os: other.os,
    osName: osName(records, other.os),
    other: observation.slot === 'active' || observation.slot === 'passive' ? own(observation) : null,
  });
  return `next boot: ${why}; if the ${other.slot} slot is booted: ${there.why}`;
}

function own(observation: Observation) {
  return { slot: observation.slot as 'active' | 'passive', os: observation.os };
}

function osName(records: Records, os: string): string {
  return records.generations.find((pair) => pair.os === os)?.osName ?? 'an operating system not seen before';
}

/** What happened to a generation, one line each; the last ones are its health. */
export function explainGeneration(records: Records, id: number, observation: Observation): string[] {
  const pair = generation(records, id);
  if (!pair) return [`no generation ${id}`];
  const missing = missingFiles(pair, observation);
  return [
    `${title(pair)}: ${pair.state}, ${pair.why} (${pair.changed})`,
    ...marks(records, pair),
    ...(missing ? [missing] : []),
    ...(pair.configuration === null ? [] : [`configuration when it was last started: ${pair.configuration}`]),
    ...(pair.snapshot === null ? [] : [`datastore snapshot taken before its trial: ${pair.snapshot}`]),
    ...records.log
      .filter(({ text }) => new RegExp(`\\bgeneration ${id}\\b`).test(text))
      .map(({ at, text }) => `${at} ${text}`),
    ...pair.health.map(({ at, result, detail }) => `${at} health ${result}: ${detail}`),
  ];
}

function marks(records: Records, pair: Generation): string[] {
  const { settings, boot } = records;
  return [
    ...(boot?.generation === pair.id ? ['it runs now'] : []),
    ...(records.wanted === pair.id ? ['it is wanted'] : []),
    ...(records.pins.includes(pair.id) ? ['it is pinned'] : []),
    ...(pair.tries > 0 ? [`${pair.tries} of ${settings.tries} tries used`] : []),
  ];
}

/** Every generation in one line each, the newest first. */
export function explainAll(records: Records): string[] {
  return [...records.generations]
    .sort((left, right) => right.id - left.id)
    .map((pair) => [`${title(pair)}: ${pair.state}, ${pair.why}`, ...marks(records, pair)].join('; '));
}
