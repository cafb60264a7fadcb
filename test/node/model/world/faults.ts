import type { Step, World } from './boot.ts';
import { DAMAGED, MISSING, type State } from './state.ts';

/** What operators and disks do to files that are ours, one file at a time. */
export function faults(world: World, state: State): Step[] {
  const fault = (label: string, change: Partial<State>): Step => ({
    label,
    to: { ...state, ...change },
    kind: 'run',
  });
  return [
    ...world.scope.sets
      .filter((set) => state.store & (1 << set))
      .map((set) => fault(`someone deletes the file of set ${set}`, { store: state.store & ~(1 << set) })),
    ...(state.links[0] >= 0
      ? [fault('someone deletes the link in active', { links: [-1, state.links[1]] })]
      : []),
    ...(state.links[1] >= 0
      ? [fault('someone deletes the link in passive', { links: [state.links[0], -1] })]
      : []),
    ...(state.record === MISSING ? [] : [fault('someone deletes the records', { record: MISSING })]),
    ...(state.record < 0 ? [] : [fault('the records are damaged', { record: DAMAGED })]),
    ...(state.previous < 0 ? [] : [fault('someone deletes the previous records', { previous: MISSING })]),
  ];
}
