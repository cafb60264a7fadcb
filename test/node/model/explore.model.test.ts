import { describe, expect, test } from 'vitest';
import { MUTANTS } from './mutants.ts';
import type { Scope } from './world/core.ts';
import { type Explored, explore, goingBack, severalGood } from './world/explore.ts';

// Three worlds are explored to their end. The whole one, three systems by three sets, is larger than a run may take: it is explored breadth
// first as far as it gets, and its random runs in explore.test.ts go deeper.
const COMPLETE: readonly (readonly [string, Scope])[] = [
  [
    'two systems, one set, two tries, any write finds the disk full, any action fails',
    { systems: 2, sets: [0], tries: 2, datastore: 'agent', faults: false, full: true },
  ],
  [
    'three systems, one set',
    { systems: 3, sets: [0], tries: 1, datastore: 'agent', faults: false, full: false },
  ],
  [
    'two systems, two sets',
    { systems: 2, sets: [0, 1], tries: 1, datastore: 'agent', faults: false, full: false },
  ],
];
const PARTIAL: readonly (readonly [string, Scope])[] = [
  [
    'three systems, three sets, single server',
    { systems: 3, sets: [0, 1, 2], tries: 2, datastore: 'single', faults: false, full: true },
  ],
  [
    'three systems, three sets, several servers',
    { systems: 3, sets: [0, 1, 2], tries: 2, datastore: 'several', faults: false, full: true },
  ],
  [
    'two systems, one set, faults by others',
    { systems: 2, sets: [0], tries: 1, datastore: 'agent', faults: true, full: true },
  ],
];
/** States of a world that is not explored to its end. */
const LIMIT = 30_000;

function tell(name: string, found: Explored): void {
  const windows = [...found.windows].map(([why, states]) => `  no promise: ${why}: ${states} states`);
  const end = found.complete ? 'no new state is left' : 'not explored to its end';
  console.log(
    [
      `model, ${name}: ${found.states} states, ${found.transitions} transitions, depth ${found.depth}, ${end}; at most ${found.restarts} restarts until a good pair runs`,
      ...windows,
    ].join('\n'),
  );
}

describe('the model', () => {
  test.each(COMPLETE)('%s: every state holds every invariant', (name, scope) => {
    const found = explore(scope);
    tell(name, found);
    expect(found.violation?.trace).toBeUndefined();
    expect(found.complete).toBe(true);
  });

  test.each(PARTIAL)('%s: the states that are reached first hold every invariant', (name, scope) => {
    const found = explore(scope, undefined, LIMIT);
    tell(name, found);
    expect(found.violation?.trace).toBeUndefined();
  });
});

describe('a broken core is caught', () => {
  const scope: Scope = { systems: 2, sets: [0, 2], tries: 2, datastore: 'single', faults: false, full: true };

  const starts = {
    'several good': [{ ...scope, systems: 3, sets: [0, 1], datastore: 'agent' }, severalGood],
    'going back': [{ ...scope, systems: 1, faults: true }, goingBack],
  } as const;

  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('%s', (_, { core, breaks, start }) => {
    const [from, begin] = start === undefined ? [scope] : starts[start];
    const found = explore(from, core, LIMIT, begin);
    expect(breaks).toContain(found.violation?.invariant);
  });

  test.each(Object.entries(starts))('and the start with %s is fine for the product', (_, [from, begin]) => {
    expect(explore(from, undefined, LIMIT, begin).violation?.trace).toBeUndefined();
  });
});
