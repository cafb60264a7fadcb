import { snapshotNames } from '../kubernetes/snapshot.ts';
import { generation } from '../model/change.ts';
import { decideBoot } from '../model/decide-boot.ts';
import { explainNextBoot } from '../model/explain.ts';
import type { Generation, HealthEntry, Records, UsualSlot } from '../model/types.ts';
import { missingFiles } from '../model/words.ts';
import type { Session } from '../session.ts';

/** What `status --json` prints; names stay, new ones may come. */
export interface StatusFacts {
  readonly running: GenerationFacts | null;
  /** Of this boot. */
  readonly boot: Records['boot'];
  readonly slots: readonly SlotFacts[];
  /** Newest first. */
  readonly generations: readonly GenerationFacts[];
  /** What the next boot will run and why; also for the other slot. */
  readonly nextBoot: string;
  readonly datastore: Records['datastore'];
  readonly snapshots: readonly string[];
  readonly settings: Records['settings'];
  readonly configuration: string | null;
  readonly foreignExtensions: readonly string[];
  readonly retired: boolean;
  /** What someone has to look at. */
  readonly problems: readonly string[];
}

export interface SlotFacts {
  readonly slot: UsualSlot;
  readonly running: boolean;
  /** Name of its operating system; null where it could not be read or is not known yet. */
  readonly os: string | null;
  /** Generation that a boot of it would run, or null. */
  readonly generation: number | null;
}

export interface GenerationFacts extends Omit<Generation, 'files'> {
  readonly running: boolean;
  readonly wanted: boolean;
  readonly pinned: boolean;
  readonly files: readonly { readonly name: string; readonly sha256: string; readonly size: number }[];
}

export function statusFacts(session: Session): StatusFacts {
  const { host, records, observation, note } = session;
  const generations = [...records.generations]
    .sort((left, right) => right.id - left.id)
    .map((pair) => generationFacts(records, pair));
  return {
    running: generations.find(({ running }) => running) ?? null,
    boot: records.boot,
    slots: slotFacts(session),
    generations,
    nextBoot: explainNextBoot(records, observation).replace(/^next boot: /, ''),
    datastore: records.datastore,
    snapshots: snapshotNames(host).filter((name) => !name.startsWith('.')),
    settings: records.settings,
    configuration: observation.configuration,
    foreignExtensions: observation.foreign,
    retired: records.retired,
    problems: [...(note === null ? [] : [note]), ...problems(session)],
  };
}

function generationFacts(records: Records, pair: Generation): GenerationFacts {
  return {
    ...pair,
    files: pair.files.map(({ name, sha256, size }) => ({ name, sha256, size })),
    running: records.boot?.generation === pair.id,
    wanted: records.wanted === pair.id,
    pinned: records.pins.includes(pair.id),
  };
}

function slotFacts({ records, observation }: Session): SlotFacts[] {
  const { slot, os, osName, other } = observation;
  if (slot !== 'active' && slot !== 'passive') return [];
  const nameOf = (wanted: string | null) =>
    records.generations.find((pair) => pair.os === wanted)?.osName ?? null;
  const runs = (decision: { readonly runs: number | null }) =>
    generation(records, decision.runs) === undefined ? null : decision.runs;
  const own: SlotFacts = {
    slot,
    running: true,
    os: osName,
    generation: runs(decideBoot(records, { ...observation, bootId: 'next' })),
  };
  if (other === null) return [own];
  const there = other.os === null ? null : nameOf(other.os);
  const decision =
    other.os === null
      ? { runs: null }
      : decideBoot(records, {
          ...observation,
          bootId: 'next',
          slot: other.slot,
          os: other.os,
          osName: there ?? 'an operating system not seen before',
          other: { slot, os },
        });
  const facts = { slot: other.slot, running: false, os: there, generation: runs(decision) };
  return [own, facts].sort((left, right) => (left.slot < right.slot ? -1 : 1));
}

function problems({ records, observation }: Session): string[] {
  const { boot, datastore } = records;
  const running = generation(records, boot?.generation ?? null);
  const needed = records.generations.filter(
    ({ id, state }) => state === 'good' || id === records.wanted || records.pins.includes(id),
  );
  return [
    ...needed.map((pair) => missingFiles(pair, observation)).filter((text) => text !== ''),
    ...(boot !== null && boot.id !== observation.bootId
      ? ['sextant-node decided nothing on this boot: see `journalctl -b -t sextant-node`']
      : []),
    ...(running && running.configuration !== null && running.configuration !== observation.configuration
      ? ['the configuration of Kubernetes has changed since this generation was started']
      : []),
    ...(datastore.restore === null
      ? []
      : [`the datastore snapshot ${datastore.restore} will be put back at the next boot`]),
  ];
}

/** The last result of a pair's health, or undefined. */
export function lastHealth({ health }: Pick<Generation, 'health'>): HealthEntry | undefined {
  return health.at(-1);
}
