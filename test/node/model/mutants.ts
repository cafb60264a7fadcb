import type { Decision, Effect } from '../../../src/node/model/effects.ts';
import { isRefusal } from '../../../src/node/model/effects.ts';
import { PREVIOUS_FILE, RECORD_FILE } from '../../../src/node/model/paths.ts';
import { persist } from '../../../src/node/model/persist.ts';
import type { Generation, Records } from '../../../src/node/model/types.ts';
import { CORE, type Core } from './world/core.ts';

/** Broken cores, each by one change, and the invariants that may notice it first. */
export interface Mutant {
  readonly name: string;
  readonly breaks: readonly string[];
  readonly core: Core;
  /** Where it starts, when not on an adopted node. */
  readonly start?: 'several good' | 'going back';
}

const isRecord = (path: string) => path.startsWith('/opt/sextant/records/');

/** Every decision changed on its way out. */
function out(change: (decision: Decision, before: Records) => Decision): Core {
  const one = (decision: Decision, before: Records) => change(decision, before);
  return {
    decideBoot: (records, ...rest) => one(CORE.decideBoot(records, ...rest), records),
    verdict: (records, ...rest) => one(CORE.verdict(records, ...rest), records),
    giveBack: (records, ...rest) => one(CORE.giveBack(records, ...rest), records),
    collect: (records, ...rest) => one(CORE.collect(records, ...rest), records),
    upgrade: (records, ...rest) => {
      const outcome = CORE.upgrade(records, ...rest);
      return isRefusal(outcome) ? outcome : one(outcome, records);
    },
    rollback: (records, ...rest) => {
      const outcome = CORE.rollback(records, ...rest);
      return isRefusal(outcome) ? outcome : one(outcome, records);
    },
  };
}

const effects = (change: (all: readonly Effect[]) => readonly Effect[]): Core =>
  out((decision) => ({ ...decision, effects: change(decision.effects) }));

/** What a boot sees of the records changed on its way in; what it then records is the product's. */
const boot = (change: (records: Records, os: string) => Records): Core => ({
  ...CORE,
  decideBoot: (records, observation) => CORE.decideBoot(change(records, observation.os), observation),
});

const eachPair = (records: Records, change: (pair: Generation) => Generation): Records => ({
  ...records,
  generations: records.generations.map(change),
});

/** The same decision with other records made durable. */
function recording(
  decide: Core['decideBoot'],
  change: (after: Records, before: Records) => Records,
): Core['decideBoot'] {
  return (before, observation) => {
    const decision = decide(before, observation);
    if (!observation.writable || decision.effects.length === 0) return decision;
    const records = change(decision.records, before);
    const rest = decision.effects.filter((effect) => !touchesRecord(effect));
    return { ...decision, records, effects: [...persist(records, observation), ...rest] };
  };
}

function touchesRecord(effect: Effect): boolean {
  const path = 'path' in effect ? effect.path : 'to' in effect ? effect.to : '';
  return path === '/opt/sextant/records' || isRecord(path);
}

const others = (all: readonly Effect[]) => all.filter((effect) => !touchesRecord(effect));

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the new record is not synced before it takes the name',
    breaks: ['I4'],
    core: effects((all) => all.filter((effect) => effect.do !== 'sync-file')),
  },
  {
    name: 'the folder of the records is not synced',
    breaks: ['I1'],
    core: effects((all) => all.filter((effect) => effect.do !== 'sync-folder' || !touchesRecord(effect))),
  },
  {
    name: 'links change before the record is durable',
    breaks: ['I4'],
    core: effects((all) => {
      const isLink = (effect: Effect) => effect.do !== 'run' && !touchesRecord(effect);
      return [...all.filter(isLink), ...all.filter((effect) => !isLink(effect))];
    }),
  },
  {
    name: 'the record is overwritten in place',
    breaks: ['I4'],
    core: effects((all) =>
      all.flatMap((effect): Effect[] => {
        if (effect.do === 'write' && touchesRecord(effect)) return [{ ...effect, path: RECORD_FILE }];
        if (effect.do === 'sync-file') return [{ ...effect, path: RECORD_FILE }];
        return touchesRecord(effect) && effect.do !== 'sync-folder' ? [] : [effect];
      }),
    ),
  },
  {
    name: 'the record is removed before the new one is renamed',
    breaks: ['I4'],
    core: effects((all) =>
      all.flatMap((effect): Effect[] =>
        effect.do === 'rename' && effect.to === RECORD_FILE
          ? [{ do: 'rename', from: RECORD_FILE, to: PREVIOUS_FILE }, effect]
          : touchesRecord(effect) && (effect.do === 'hard-link' || effect.do === 'rename')
            ? []
            : [effect],
      ),
    ),
  },
  {
    name: 'the try is counted after the merge',
    breaks: ['I1'],
    core: {
      ...CORE,
      decideBoot: recording(CORE.decideBoot, (after, before) =>
        eachPair(after, (pair) => ({
          ...pair,
          tries: before.generations.find(({ id }) => id === pair.id)?.tries ?? 0,
        })),
      ),
    },
  },
  {
    name: 'a pair on trial has no limit',
    breaks: ['I1'],
    core: boot((records) => eachPair(records, (pair) => ({ ...pair, tries: 0 }))),
  },
  {
    name: 'the try is given back after a crash',
    breaks: ['I1'],
    core: boot((records) =>
      eachPair(records, (pair) =>
        pair.state === 'trying' ? { ...pair, tries: Math.max(0, pair.tries - 1) } : pair,
      ),
    ),
  },
  {
    name: 'tries are shared by all operating systems',
    breaks: ['fair'],
    core: boot((records) => {
      const most = Math.max(0, ...records.generations.map(({ tries }) => tries));
      const used = records.generations.some(({ state }) => state === 'bad') ? records.settings.tries : most;
      return eachPair(records, (pair) => (pair.state === 'new' ? { ...pair, tries: used } : pair));
    }),
  },
  {
    name: 'newest is by the wall clock',
    start: 'several good',
    breaks: ['newest'],
    core: boot((records) => {
      const stamps = [...records.generations].sort((left, right) => (left.changed < right.changed ? -1 : 1));
      return eachPair(records, (pair) => ({
        ...pair,
        turn: pair.turn === 0 ? 0 : stamps.indexOf(pair) + 1,
      }));
    }),
  },
  {
    name: 'a bad pair is chosen again',
    breaks: ['I2'],
    core: {
      ...CORE,
      decideBoot: (records, observation) => {
        const bad = records.generations.find(({ state, os }) => state === 'bad' && os === observation.os);
        if (!bad || records.wanted !== null) return CORE.decideBoot(records, observation);
        const again = eachPair(records, (pair) =>
          pair === bad ? { ...pair, state: 'new', tries: 0, slot: observation.slot as 'active' } : pair,
        );
        return CORE.decideBoot({ ...again, wanted: bad.id }, observation);
      },
    },
  },
  {
    name: 'the first generation is given up',
    breaks: ['first'],
    core: boot((records) =>
      records.generations.some(({ turn }) => turn > 0) ? records : { ...records, retired: true },
    ),
  },
  {
    name: 'gc removes what is good with the other slot',
    breaks: ['I3'],
    core: {
      ...CORE,
      collect: (records, observation, stored) =>
        CORE.collect(
          { ...records, generations: records.generations.filter(({ os }) => os === observation.os) },
          { ...observation, links: { active: {}, passive: {} } },
          stored,
        ),
    },
  },
  {
    name: 'gc removes what is wanted and has not run',
    breaks: ['I3'],
    core: {
      ...CORE,
      collect: (records, observation, stored) =>
        CORE.collect(
          {
            ...records,
            wanted: null,
            generations: records.generations.filter(({ state }) => state !== 'new'),
          },
          { ...observation, links: { active: {}, passive: {} } },
          stored,
        ),
    },
  },
  {
    name: 'a fallback takes the pair that is good with another operating system',
    breaks: ['I2'],
    core: {
      ...CORE,
      decideBoot: (records, observation) => {
        const others = records.generations.filter(
          ({ os, state }) => os !== observation.os && state === 'good',
        );
        if (others.length === 0) return CORE.decideBoot(records, observation);
        const without = records.generations.filter(
          ({ os, state }) => os !== observation.os || (state !== 'good' && state !== 'superseded'),
        );
        return CORE.decideBoot({ ...records, generations: without }, observation);
      },
    },
  },
  {
    name: 'the passive slot goes on with the trial of the active one',
    breaks: ['I2'],
    core: boot((records, _os) =>
      eachPair(records, (pair) => ({ ...pair, slot: pair.slot === 'active' ? 'passive' : 'active' })),
    ),
  },
  {
    name: 'the other slot is never booted',
    breaks: ['I1'],
    core: {
      ...CORE,
      decideBoot: (records, observation) => CORE.decideBoot(records, { ...observation, other: null }),
      verdict: (records, observation, found) => CORE.verdict(records, { ...observation, other: null }, found),
    },
  },
  {
    name: 'a snapshot is never put back',
    breaks: ['I5'],
    core: effects((all) =>
      all.filter((effect) => effect.do !== 'run' || effect.action.name !== 'restore-snapshot'),
    ),
  },
  {
    name: 'that a snapshot has to be put back is not recorded',
    breaks: ['I5'],
    core: {
      ...CORE,
      decideBoot: (records, observation) => {
        const decision = CORE.decideBoot(records, observation);
        const restore = decision.effects.some(
          (effect) => effect.do === 'run' && effect.action.name === 'restore-snapshot',
        );
        if (!restore) return decision;
        const without = decision.effects.filter((effect) => !touchesRecord(effect));
        return { ...decision, effects: [...persist(decision.records, observation), ...without] };
      },
    },
  },
  {
    name: 'only the newer copy of the records says that a snapshot is put back',
    start: 'going back',
    breaks: ['I5'],
    core: {
      ...CORE,
      decideBoot: (records, observation) => {
        const decision = CORE.decideBoot(records, observation);
        const at = decision.effects.findIndex(
          (effect) => effect.do === 'run' && effect.action.name === 'restore-snapshot',
        );
        if (at < 0) return decision;
        const ahead = decision.effects.slice(0, at);
        const again = ahead.findLastIndex((effect) => effect.do === 'write' && touchesRecord(effect));
        return { ...decision, effects: [...ahead.slice(0, again), ...decision.effects.slice(at)] };
      },
    },
  },
  {
    name: 'a pair is called good before its verdict',
    breaks: ['I2'],
    core: {
      ...CORE,
      giveBack: (records, observation, given) =>
        given.reason === 'server-away'
          ? CORE.verdict(records, observation, {
              generation: records.boot?.generation ?? 0,
              result: 'good',
              detail: '',
            })
          : CORE.giveBack(records, observation, given),
    },
  },
  {
    name: 'a restart that failed is not asked for again',
    breaks: ['I1'],
    core: {
      ...CORE,
      verdict: (records, observation, found) => {
        if (records.boot?.outcome !== 'bad') return CORE.verdict(records, observation, found);
        return { runs: records.boot.generation, why: 'nothing is waiting', records, effects: [] };
      },
    },
  },
  {
    name: 'what was found about one pair counts for the one that was exchanged for it',
    breaks: ['I2'],
    core: {
      ...CORE,
      verdict: (records, observation, found) =>
        CORE.verdict(records, observation, { ...found, generation: records.boot?.generation ?? 0 }),
    },
  },
  {
    name: 'without the other slot nothing is run',
    breaks: ['first'],
    core: {
      ...CORE,
      decideBoot: (records, observation) => {
        const lost = observation.other === null && observation.slot === 'active';
        return CORE.decideBoot(lost ? { ...records, generations: [], wanted: null } : records, observation);
      },
    },
  },
  {
    name: 'a full disk does not stop a trial',
    breaks: ['I1'],
    core: {
      ...CORE,
      decideBoot: (records, observation) => {
        if (observation.writable) return CORE.decideBoot(records, observation);
        const decision = CORE.decideBoot(records, { ...observation, writable: true });
        return { ...decision, records, effects: others(decision.effects) };
      },
    },
  },
];
