import type { JournalEvent } from '../journal.ts';
import type { Generation, Records } from '../model/types.ts';
import { title } from '../model/words.ts';
import { type EventName, MESSAGE_IDS } from './ids.ts';

const LEVELS: Partial<Record<EventName, JournalEvent['level']>> = {
  bad: 'error',
  'going-back': 'warning',
  'restore-ahead': 'warning',
  restored: 'warning',
  'try-given-back': 'info',
  forgotten: 'info',
};

/**
 * What happened between two records, in the order in which it makes sense; null: there were none. Nothing changed, nothing said. `restored`:
 * the datastore snapshot that was put back meanwhile, which neither of the two need show.
 */
export function eventsBetween(before: Records | null, after: Records, restored?: string): JournalEvent[] {
  if (before === null) return after.generations.slice(-1).map((pair) => about('adopted', pair, pair.why));
  return [
    ...before.generations
      .filter(({ id }) => !after.generations.some((pair) => pair.id === id))
      .map((pair) => about('forgotten', pair, 'nothing needs it any more')),
    ...after.generations.flatMap((pair) => ofPair(pair, before, after)),
    ...ofDatastore(before, after, restored),
    ...ofPins(before, after),
    ...(after.retired && !before.retired ? [event('retired', 'nothing of ours runs any more', {})] : []),
  ];
}

function ofPair(pair: Generation, before: Records, after: Records): JournalEvent[] {
  const old = before.generations.find(({ id }) => id === pair.id);
  const tries = pair.tries > 0 ? `; try ${pair.tries} of ${after.settings.tries}` : '';
  if (old?.state !== pair.state) {
    switch (pair.state) {
      case 'new':
        return [about('on-trial', pair, pair.why)];
      case 'trying':
        // A first boot on a pair that is new since the last look is both.
        return [
          ...(old ? [] : [about('on-trial', pair, pair.why)]),
          about('started', pair, `on trial${tries}`),
        ];
      case 'good':
        return [about(old?.state === 'superseded' ? 'going-back' : 'good', pair, pair.why)];
      case 'bad':
        return [about('bad', pair, pair.why)];
      case 'superseded':
        return [];
    }
  }
  const nextTry = old.tries < pair.tries ? [about('started', pair, `on trial${tries}`)] : [];
  const back = old.tries > pair.tries && pair.state === 'trying';
  return back ? [about('try-given-back', pair, after.log.at(-1)?.text ?? '')] : nextTry;
}

function ofDatastore(
  { datastore: old }: Records,
  { datastore: { restore } }: Records,
  restored: string | undefined,
): JournalEvent[] {
  const ahead = restore !== null && restore !== old.restore;
  return [
    ...(restored === undefined
      ? []
      : [event('restored', `the datastore snapshot ${restored} was put back`, { SNAPSHOT: restored })]),
    ...(ahead
      ? [event('restore-ahead', `the datastore snapshot ${restore} will be put back`, { SNAPSHOT: restore })]
      : []),
  ];
}

function ofPins(before: Records, after: Records): JournalEvent[] {
  const pairOf = (id: number) => after.generations.filter((pair) => pair.id === id);
  const only = (left: Records, right: Records) => left.pins.filter((id) => !right.pins.includes(id));
  return [
    ...only(after, before)
      .flatMap(pairOf)
      .map((pair) => about('pinned', pair, 'its files stay')),
    ...only(before, after)
      .flatMap(pairOf)
      .map((pair) => about('unpinned', pair, 'upgrades may replace it')),
  ];
}

function about(name: EventName, pair: Generation, why: string): JournalEvent {
  return event(name, `${title(pair)}: ${name.replaceAll('-', ' ')}: ${why}`, {
    GENERATION: pair.id,
    STATE: pair.state,
    KUBERNETES: pair.kubernetes,
    OPERATING_SYSTEM: pair.osName,
    TRIES: pair.tries,
  });
}

function event(name: EventName, message: string, fields: JournalEvent['fields'] & object): JournalEvent {
  return {
    id: MESSAGE_IDS[name],
    level: LEVELS[name] ?? 'notice',
    message,
    fields: { EVENT: name, ...fields },
  };
}
