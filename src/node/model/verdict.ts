import { addHealth, edit, generation, isOpen, note, setState } from './change.ts';
import { choose } from './choose.ts';
import { settled } from './datastore.ts';
import type { Decision, Effect } from './effects.ts';
import { slotLinks } from './links.ts';
import type { Observation } from './observation.ts';
import { linkName, storeFile } from './paths.ts';
import { persist } from './persist.ts';
import type { Boot, Generation, HealthEntry, Records, UsualSlot } from './types.ts';
import { title } from './words.ts';

/** What health was found to be. `silent`: no answer within the patience. */
export interface Verdict {
  /** The pair that was looked at: what is found about it says nothing about another one that has taken its place meanwhile. */
  readonly generation: number;
  readonly result: 'good' | 'bad' | 'silent';
  /** For people: which check, what it said. */
  readonly detail: string;
}

/** Why a boot says nothing about the pair it ran. */
export type GiveBack =
  | { readonly reason: 'clean-shutdown' }
  /** The merge failed because of these extensions, none of them ours. */
  | { readonly reason: 'foreign'; readonly names: readonly string[] }
  /** An agent node whose server does not answer; the boot stays open, so the pair may still become good on it. */
  | { readonly reason: 'server-away' };

/** The verdict on what this boot runs. One that is bad stands: given again, whatever it says now, what was decided is done again. */
export function verdict(
  records: Records,
  observation: Observation,
  { generation: of, result, detail }: Verdict,
): Decision {
  const running = runningPair(records, observation, of);
  if (!running) return unchanged(records, 'nothing is waiting for a verdict on this boot');
  if (running.boot.outcome === 'bad') {
    const again = goBack(
      records,
      `${title(running.pair)} is bad: ${running.pair.why}; going back`,
      observation,
    );
    return again ?? unchanged(records, `${title(running.pair)} is bad; nothing better can run here any more`);
  }
  const entry = { at: observation.now, result, detail };
  const changed = running.pair.health.at(-1)?.result !== result;
  const heard = changed ? addHealth(records, running.pair.id, entry) : records;
  if (result === 'good') return becomesGood(heard, running, observation);
  if (!isOpen(running.pair)) return keep(heard, records, `${title(running.pair)}: ${detail}`, observation);
  return becomesBad(heard, running.pair, `${saying(result)}: ${detail}`, observation);
}

function saying(result: 'bad' | 'silent'): string {
  return result === 'silent' ? 'Kubernetes did not become healthy in time' : 'Kubernetes is not healthy';
}

function becomesGood(
  records: Records,
  { pair, boot }: { readonly pair: Generation; readonly boot: Boot },
  observation: Observation,
): Decision {
  const closed = { ...records, boot: { ...boot, outcome: 'good' as const } };
  if (pair.state === 'good' || pair.state === 'superseded') {
    return keep(closed, records, `${title(pair)} is healthy`, observation);
  }
  const turn = records.counter + 1;
  const why = 'Kubernetes was healthy on it for the set time';
  const good = setState(edit(closed, pair.id, { turn, tries: 0 }), pair.id, 'good', why, observation.now);
  const wanted = good.wanted === pair.id ? null : good.wanted;
  const newest = supersede({ ...good, counter: turn, wanted }, pair, observation.now);
  const seen = { ...newest, datastore: { ...newest.datastore, kind: observation.datastore } };
  const after = settled(seen, pair);
  const clear: Effect[] =
    observation.grub.assessing && observation.slot === 'active'
      ? [{ do: 'run', action: { name: 'clear-boot-assessment' } }]
      : [];
  return {
    runs: pair.id,
    why: `${title(pair)} is good`,
    records: after,
    effects: [...persist(after, observation), ...slotLinks(after, observation), ...clear],
  };
}

/** Other good pairs with the same operating system step back. */
export function supersede(records: Records, by: Generation, now: string): Records {
  return records.generations
    .filter(({ id, os, state }) => id !== by.id && os === by.os && state === 'good')
    .reduce(
      (all, { id }) => setState(all, id, 'superseded', `generation ${by.id} took its place`, now),
      records,
    );
}

/** Bad, and back to what is better, by a reboot; when nothing is better the pair keeps running and keeps its chance. */
function becomesBad(records: Records, pair: Generation, why: string, observation: Observation): Decision {
  const judged = setState(records, pair.id, 'bad', why, observation.now);
  const boot = records.boot && { ...records.boot, outcome: 'bad' as const };
  const after = { ...judged, boot, wanted: judged.wanted === pair.id ? null : judged.wanted };
  const goesOn = `${title(pair)}: ${why}; it goes on, because nothing better can run here`;
  return (
    goBack(after, `${title(pair)} is bad: ${why}; going back`, observation) ??
    keep(records, null, goesOn, observation)
  );
}

/** The restart to what is better than the pair that `records` call bad, in whichever slot, or was asked for; undefined where nothing is. */
function goBack(records: Records, why: string, observation: Observation): Decision | undefined {
  const choice = choose(records, observation);
  if (!['good', 'other-slot', 'new-trial', 'trial'].includes(choice.kind)) return undefined;
  const slot: UsualSlot = observation.slot === 'active' ? 'passive' : 'active';
  const action =
    choice.kind === 'other-slot'
      ? ({ name: 'boot-other-slot', slot, why } as const)
      : ({ name: 'reboot', why } as const);
  return {
    runs: null,
    why,
    records,
    effects: [...persist(records, observation), ...slotLinks(records, observation), { do: 'run', action }],
  };
}

/** The try is given back, once for each boot. */
export function giveBack(records: Records, observation: Observation, given: GiveBack): Decision {
  const running = bootedPair(records, observation);
  if (running?.boot.outcome !== 'open') return unchanged(records, 'no outcome of this boot is open');
  const { pair, boot } = running;
  const away = given.reason === 'server-away';
  if (away && !boot.counted) return unchanged(records, 'the try was given back before');
  const tries = pair.tries - Number(boot.counted);
  const outcome = away ? ('open' as const) : ('given-back' as const);
  const edited = edit(records, pair.id, { tries });
  const closed = { ...edited, boot: { ...boot, counted: false, outcome } };
  const why =
    given.reason === 'clean-shutdown'
      ? 'the node was shut down before its verdict'
      : given.reason === 'foreign'
        ? `the merge failed because of another extension: ${given.names.join(', ')}`
        : 'its server does not answer';
  const said = boot.counted ? `${title(pair)} has its try back: ${why}` : `${title(pair)}: ${why}`;
  const heard: HealthEntry | null =
    given.reason === 'clean-shutdown' ? null : { at: observation.now, result: given.reason, detail: why };
  const after = heard ? addHealth(closed, pair.id, heard) : closed;
  return keep(isOpen(pair) ? note(after, said, observation.now) : after, null, said, observation);
}

function bootedPair(records: Records, observation: Observation) {
  const { boot } = records;
  const pair = generation(records, boot?.generation ?? null);
  if (!boot || !pair || boot.id !== observation.bootId) return undefined;
  return { pair, boot };
}

/**
 * The recorded pair of this boot, when it is `of`, when it is what is really linked (a full disk may have made the boot run another one), and
 * when there is something left to do about it: its outcome is open, or it is bad and the node is still here.
 */
function runningPair(records: Records, observation: Observation, of: number) {
  const found = bootedPair(records, observation);
  if (found?.pair.id !== of || !['open', 'bad'].includes(found.boot.outcome)) return undefined;
  const linked = found.pair.files.every((file) => observation.enabled[linkName(file)] === storeFile(file));
  return linked ? found : undefined;
}

function unchanged(records: Records, why: string): Decision {
  return { runs: records.boot?.generation ?? null, why, records, effects: [] };
}

/** Records what was heard; nothing is written when nothing changed since `before`. */
function keep(after: Records, before: Records | null, why: string, observation: Observation): Decision {
  const effects = after === before ? [] : persist(after, observation);
  return { runs: after.boot?.generation ?? null, why, records: after, effects };
}
