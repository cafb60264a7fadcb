import { edit, generation, note, setAside, setState, wantTrial } from './change.ts';
import { type Choice, choose, hasHadItsTries, otherSlotPair } from './choose.ts';
import { beforeStart, fit, minor, restored } from './datastore.ts';
import type { Decision, Effect } from './effects.ts';
import { enabledLinks, slotLinks } from './links.ts';
import type { Observation } from './observation.ts';
import { persist } from './persist.ts';
import { prune } from './prune.ts';
import type { Generation, Records, UsualSlot } from './types.ts';
import { whyOf } from './words.ts';

/**
 * What this boot runs, before the merge. The record, with the try counted, is durable before any link changes. When an effect fails, decide
 * again from the records as they are on the disk with `writable: false`; when `boot-other-slot` fails, with `other: null`.
 */
export function decideBoot(before: Records, observation: Observation): Decision {
  if (observation.slot !== 'active' && observation.slot !== 'passive') {
    const why = `${observation.slot} boot: extensions are for the installed system, nothing is decided here`;
    return { runs: null, why, records: before, effects: [] };
  }
  if (before.retired) {
    const effects = [...enabledLinks([], observation), ...slotLinks(before, observation)];
    return { runs: null, why: 'retired: nothing of ours runs', records: before, effects };
  }
  const choice = choose(before, observation);
  const judged = endTrial(before, choice, observation);
  const { records: counted, pair } = start(judged, choice, observation);
  const why = whyOf(choice, before, pair, observation);
  if (!observation.writable) return unwritable(before, choice, why, observation);
  const records = prune(withBoot(counted, pair, choice, observation), observation);
  const effects = [
    ...persist(records, observation),
    ...enabledLinks(pair?.files ?? [], observation),
    ...slotLinks(records, observation),
  ];
  if (choice.kind === 'other-slot') {
    const slot: UsualSlot = observation.slot === 'active' ? 'passive' : 'active';
    const last: Effect = { do: 'run', action: { name: 'boot-other-slot', slot, why } };
    return { runs: null, why, records, effects: [...effects, last] };
  }
  const clear: Effect[] = isStaleAssessment(records, choice, observation)
    ? [{ do: 'run', action: { name: 'clear-boot-assessment' } }]
    : [];
  return withRestore({ runs: pair?.id ?? null, why, records, effects: [...effects, ...clear] }, observation);
}

/** A trial that has had its tries is bad as soon as something better is chosen. */
function endTrial(records: Records, choice: Choice, { now }: Observation): Records {
  const trial = generation(records, records.wanted);
  const chosen = 'pair' in choice && choice.kind !== 'other-slot' ? choice.pair : undefined;
  const better = ['good', 'other-slot', 'new-trial'].includes(choice.kind);
  if (!trial || trial === chosen || !better || !hasHadItsTries(trial, records)) return records;
  const why = `it had its ${trial.tries} ${trial.tries === 1 ? 'try' : 'tries'} and Kubernetes never became healthy on it`;
  return { ...setState(records, trial.id, 'bad', why, now), wanted: null };
}

function start(
  records: Records,
  choice: Choice,
  observation: Observation,
): { readonly records: Records; readonly pair: Generation | undefined } {
  switch (choice.kind) {
    case 'nothing':
    case 'other-slot':
      return { records, pair: undefined };
    case 'good':
      return begin(records, choice.pair.id, false, observation);
    case 'trial':
      return begin(records, choice.pair.id, choice.limited, observation);
    case 'last-resort':
      return begin(records, choice.pair.id, false, observation);
    case 'new-trial':
    case 'last-resort-new': {
      const why = `${observation.osName} is new on this node; the extension that is good with ${choice.of.osName} is tried with it`;
      const { files, kubernetes } = choice.of;
      const { os, osName } = observation;
      const wanted = wantTrial(records, { os, osName, files, kubernetes, snapshot: null, why }, observation);
      const limited = choice.kind === 'new-trial' && choice.limited;
      return begin(wanted, wanted.wanted as number, limited, observation);
    }
  }
}

/** The pair starts: its try counted, its configuration noted, what it may do to the datastore recorded. */
export function begin(records: Records, id: number, counted: boolean, observation: Observation) {
  const old = generation(records, id) as Generation;
  const begun = edit(records, id, {
    state: old.state === 'new' ? 'trying' : old.state,
    tries: old.tries + Number(counted),
    configuration: observation.configuration,
  });
  const going = fit(old, records.datastore) === 'restore' ? endCrossing(begun, id, observation) : begun;
  const ready = beforeStart(going, old);
  return { records: ready, pair: generation(ready, id) };
}

/** Going back takes away the snapshot that a trial was to go back to, so that trial is over. */
function endCrossing(records: Records, id: number, { now }: Observation): Records {
  const trial = generation(records, records.wanted);
  const back = generation(records, id);
  if (!trial || !back || trial.id === id || minor(trial.kubernetes) <= minor(back.kubernetes)) return records;
  return setAside(records, now, 'its snapshot is put back; ask for the upgrade again');
}

function withBoot(
  records: Records,
  pair: Generation | undefined,
  choice: Choice,
  observation: Observation,
): Records {
  const counted = (choice.kind === 'trial' || choice.kind === 'new-trial') && choice.limited;
  const boot = {
    id: observation.bootId,
    slot: observation.slot as UsualSlot,
    os: observation.os,
    generation: pair?.id ?? null,
    counted,
    outcome: 'open' as const,
  };
  return { ...records, boot };
}

/**
 * The snapshot is put back after the records say so and before Kubernetes can start; that it was, is recorded at once. Both copies of the
 * records say it, before and after: whoever loses the newer one knows of a datastore that is half put back, and puts nothing back twice.
 */
function withRestore(decision: Decision, observation: Observation): Decision {
  const { restore } = decision.records.datastore;
  const pair = generation(decision.records, decision.runs);
  if (restore === null || !pair) return decision;
  const after = note(
    restored(decision.records, pair),
    `the datastore snapshot ${restore} was put back`,
    observation.now,
  );
  return {
    ...decision,
    records: after,
    effects: [
      ...decision.effects,
      ...persist(decision.records, WHOLE),
      { do: 'run', action: { name: 'restore-snapshot', snapshot: restore } },
      ...persist(after, WHOLE),
      ...persist(after, WHOLE),
    ],
  };
}

/** What `persist` left a moment ago. */
const WHOLE = { recordFile: 'whole' } as const;

/** Nothing can be recorded: only what needs no record is done. */
function unwritable(records: Records, choice: Choice, why: string, observation: Observation): Decision {
  const said = `${why}; the records cannot be written: free space on COS_PERSISTENT`;
  if (choice.kind === 'other-slot') {
    const slot: UsualSlot = observation.slot === 'active' ? 'passive' : 'active';
    const effects: Effect[] = [{ do: 'run', action: { name: 'boot-other-slot', slot, why: said } }];
    return { runs: null, why: said, records, effects };
  }
  const pair = 'pair' in choice ? choice.pair : 'of' in choice ? choice.of : undefined;
  const runs = 'pair' in choice ? choice.pair.id : null;
  return { runs, why: said, records, effects: enabledLinks(pair?.files ?? [], observation) };
}

/**
 * GRUB's boot assessment is done with once the count of tries has taken over, or when it points away from an operating system that has a
 * good pair: left behind, it would send a healthy node to the passive slot.
 */
function isStaleAssessment(records: Records, choice: Choice, observation: Observation): boolean {
  if (!observation.grub.assessing) return false;
  if (observation.slot === 'passive') {
    // Fresh from the installer both slots hold one operating system: what is good here is good there.
    const same = observation.other?.os === observation.os && choice.kind === 'good';
    return same || otherSlotPair(records, observation) !== undefined;
  }
  return (
    choice.kind === 'good' || ((choice.kind === 'trial' || choice.kind === 'new-trial') && choice.limited)
  );
}
