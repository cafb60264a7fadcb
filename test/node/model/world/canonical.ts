import type { Generation, Records } from '../../../../src/node/model/types.ts';
import { fileOf, KUBERNETES, osId, setOf } from './facts.ts';

/**
 * Records without what no decision may depend on (words, history, stamps) and with counters renumbered by rank, so that the states of the
 * world are finitely many. Stamps run against the counter: whoever decides by the wall clock decides wrongly.
 */

export const osOf = (pair: Pick<Generation, 'os'>) => Number(pair.os.slice(3));
export const setOfPair = (pair: Pick<Generation, 'files'>) => setOf(pair.files[0]?.sha256 ?? '');

/** `os` and `set` rename the symmetric parts. `booted`: the outcome of the running boot is kept. */
export function canonical(
  records: Records,
  booted: boolean,
  os: readonly number[],
  set: readonly number[],
): Records {
  // Ids of pairs that never were good keep their order; others are told apart by their turn alone.
  const order = [...records.generations].sort((left, right) => left.turn - right.turn || left.id - right.id);
  const ids = new Map(order.map(({ id }, index) => [id, index + 1]));
  const never = order.filter(({ turn }) => turn === 0).length;
  const id = (old: number | null) => (old === null ? null : (ids.get(old) ?? null));
  const generations = order.map((pair, index): Generation => {
    const its = set[setOfPair(pair)] as number;
    const turn = pair.turn === 0 ? 0 : index + 1 - never;
    return {
      id: index + 1,
      os: osId(os[osOf(pair)] as number),
      osName: osId(os[osOf(pair)] as number),
      files: [fileOf(its)],
      kubernetes: KUBERNETES[its] as string,
      state: pair.state,
      tries: pair.state === 'new' || pair.state === 'trying' ? pair.tries : 0,
      turn,
      slot: pair.state === 'new' || pair.state === 'trying' ? pair.slot : 'active',
      why: '',
      configuration: null,
      snapshot: pair.state === 'new' || pair.state === 'trying' ? pair.snapshot : null,
      created: String(9 - turn),
      changed: String(9 - turn),
      health: [],
    };
  });
  const { trial, restore, kind, version } = records.datastore;
  const data = (text: string) =>
    text === '' ? '' : text.startsWith('v1.34') ? KUBERNETES[2] : KUBERNETES[0];
  const boot = booted && records.boot?.id === 'this' ? records.boot : null;
  return {
    format: 1,
    counter: order.length,
    wanted: id(records.wanted),
    generations,
    pins: records.pins
      .map((pin) => id(pin) ?? 0)
      .filter((pin) => pin > 0)
      .sort(),
    boot: boot && {
      ...boot,
      os: osId(os[Number(boot.os.slice(3))] as number),
      generation: id(boot.generation),
    },
    datastore: {
      kind,
      version: data(version),
      trial: trial && { generation: 0, version: data(trial.version), snapshot: trial.snapshot },
      restore,
    },
    settings: records.settings,
    retired: records.retired,
    log: [],
    extra: {},
  };
}

/** One short text for equal canonical records. */
export function recordsKey(records: Records): string {
  const pairs = records.generations.map(
    (pair) =>
      `${osOf(pair)}${setOfPair(pair)}${pair.state[0]}${pair.tries}${pair.turn}${pair.slot[0]}${pair.snapshot ?? ''}`,
  );
  const { boot, datastore } = records;
  return [
    pairs.join(';'),
    records.wanted,
    records.pins.join('.'),
    boot
      ? `${boot.generation}${boot.counted ? 'c' : ''}${boot.outcome}${boot.slot[0]}${boot.os.slice(3)}`
      : '',
    datastore.version,
    datastore.trial ? `${datastore.trial.version}${datastore.trial.snapshot}` : '',
    datastore.restore,
    records.retired ? 'r' : '',
  ].join('|');
}
