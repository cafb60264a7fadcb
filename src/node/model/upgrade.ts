import { pairOf, setKey, wantTrial } from './change.ts';
import { choose, isWhole } from './choose.ts';
import { fit, minor } from './datastore.ts';
import { begin } from './decide-boot.ts';
import { type Decision, type Effect, type Refusal, refusal } from './effects.ts';
import { enabledLinks, slotLinks } from './links.ts';
import type { Observation } from './observation.ts';
import { persist } from './persist.ts';
import type { ExtensionFile, Generation, Records, UsualSlot } from './types.ts';
import { title } from './words.ts';

export interface UpgradeRequest {
  readonly files: readonly ExtensionFile[];
  readonly kubernetes: string;
  /** Taken just now, or null where there is no datastore to take one of. */
  readonly snapshot: string | null;
  /** `live`: merged at once; `reboot`: at once, by a reboot; `later`: at the next boot. */
  readonly how: 'live' | 'reboot' | 'later';
  /** Also when this pair is bad. */
  readonly again: boolean;
}

/** An extension set, whole in the store and verified, is put on trial with the operating system that is running. */
export function upgrade(
  records: Records,
  observation: Observation,
  request: UpgradeRequest,
): Decision | Refusal {
  const refused = refuse(records, observation, request);
  if (refused) return refused;
  const { files, kubernetes, snapshot } = request;
  const { os, osName } = observation;
  const why = `Kubernetes ${kubernetes} was asked for`;
  const wanted = wantTrial(records, { os, osName, files, kubernetes, snapshot, why }, observation);
  const choice = choose(wanted, observation);
  if (choice.kind !== 'trial') {
    return refusal(`Kubernetes ${kubernetes} cannot be tried on this datastore`, 'see: sextant-node explain');
  }
  const said = `${title(choice.pair)} is on trial`;
  if (request.how !== 'live') {
    const effects = [...persist(wanted, observation), ...slotLinks(wanted, observation)];
    const reboot: Effect = { do: 'run', action: { name: 'reboot', why: `${said}, by this reboot` } };
    const last = request.how === 'reboot' ? [reboot] : [];
    return {
      runs: null,
      why: `${said} from the next boot on`,
      records: wanted,
      effects: [...effects, ...last],
    };
  }
  if (fit(choice.pair, wanted.datastore) === 'restore') {
    return refusal('the datastore has to be put back first', 'let it start by a reboot: --reboot');
  }
  const started = begin(wanted, choice.pair.id, choice.limited, observation).records;
  const boot = {
    id: observation.bootId,
    slot: observation.slot as UsualSlot,
    os,
    generation: choice.pair.id,
    counted: choice.limited,
    outcome: 'open' as const,
  };
  const after = { ...started, boot };
  return {
    runs: choice.pair.id,
    why: `${said}, live`,
    records: after,
    effects: [
      ...persist(after, observation),
      ...enabledLinks(files, observation),
      ...slotLinks(after, observation),
      { do: 'run', action: { name: 'switch-live' } },
    ],
  };
}

function refuse(
  records: Records,
  observation: Observation,
  { files, kubernetes, again }: UpgradeRequest,
): Refusal | undefined {
  if (observation.slot !== 'active' && observation.slot !== 'passive')
    return refusal(`this is a ${observation.slot} boot`, 'boot the installed system');
  if (records.retired) return refusal('this node is retired', 'take it up again: sextant-node adopt');
  if (!isWhole(files, observation))
    return refusal('not all files of the extension are in the store', 'run the same command again');
  const pinned = pinnedHere(records, observation);
  if (pinned) return refusal(`${title(pinned)} is pinned`, `sextant-node unpin ${pinned.id}`);
  if (records.datastore.restore !== null)
    return refusal('a datastore snapshot is waiting to be put back', 'reboot first');
  if (hasData(records) && minor(kubernetes) < minor(records.datastore.version))
    return refusal(
      `the datastore is of Kubernetes ${records.datastore.version}; ${kubernetes} cannot read it`,
      'go back with its snapshot: sextant-node rollback --to GENERATION --restore-datastore',
    );
  const known = pairOf(records, observation.os, files);
  if (known?.state === 'bad' && !again)
    return refusal(
      `${title(known)} is bad: ${known.why}`,
      'try it all the same: sextant-node upgrade --again',
    );
  if (known && (known.state === 'good' || known.state === 'superseded'))
    return refusal(`${title(known)} was good before`, `sextant-node rollback --to ${known.id}`);
  if (known && known.id === records.boot?.generation && known.id === records.wanted && !again)
    return refusal(`${title(known)} is on trial now`, 'wait for its verdict: sextant-node status');
  return undefined;
}

function hasData({ datastore }: Records): boolean {
  return datastore.kind !== 'agent' && datastore.kind !== 'none';
}

/** The pinned pair that would be replaced. */
function pinnedHere(records: Records, observation: Observation): Generation | undefined {
  return records.generations.find(
    ({ id, os, state, files }) =>
      records.pins.includes(id) && os === observation.os && state === 'good' && setKey(files) !== '',
  );
}
