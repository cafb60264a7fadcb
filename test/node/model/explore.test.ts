import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Step } from './world/boot.ts';
import type { Scope } from './world/core.ts';
import { explore, startOf, steps } from './world/explore.ts';
import { Promise1, window } from './world/promise.ts';
import { representative } from './world/state.ts';

const SMALL: Scope = { systems: 2, sets: [0], tries: 1, datastore: 'agent', faults: false, full: true };

test('a small world is explored to its end and holds every invariant', () => {
  const found = explore(SMALL);
  expect(found.violation?.trace).toBeUndefined();
  expect(found.complete).toBe(true);
  expect(found.states).toBeGreaterThan(1000);
  expect(found.restarts).toBeGreaterThan(0);
  console.log(`model, small: ${found.states} states, ${found.transitions} transitions, depth ${found.depth}`);
});

/** Of a step that has many ways to be cut short every way counts for itself: a kind of step is chosen first, or a run is little but power cuts. */
function chosen(all: readonly Step[], choice: number): Step | undefined {
  const kindOf = ({ kind, label }: Step) => (kind === 'run' ? label.split(/[ :]/, 1)[0] : kind);
  const kinds = [...new Set(all.map(kindOf))];
  const kind = kinds[choice % kinds.length];
  const alike = all.filter((step) => kindOf(step) === kind);
  return alike[Math.floor(choice / 16) % alike.length];
}

test('long random runs of the whole world hold every invariant', () => {
  for (const datastore of ['single', 'several'] as const) {
    for (const faults of [false, true]) {
      const scope: Scope = { systems: 3, sets: [0, 1, 2], tries: 2, datastore, faults, full: true };
      const { world, state: start } = startOf(scope);
      const promise = new Promise1(world);
      fc.assert(
        fc.property(fc.array(fc.nat(9999), { minLength: 100, maxLength: 300 }), (choices) => {
          const trace: string[] = [];
          let state = start;
          try {
            for (const choice of choices) {
              const step = chosen(steps(world, state), choice);
              if (!step) break;
              trace.push(step.label);
              state = representative(step.to, world.interned, true).state;
              if (!state.node && window(world, state) === null) promise.check(state, true);
            }
          } catch (error) {
            throw new Error(`${[...trace, (error as Error).message].join('\n')}\n${JSON.stringify(state)}`);
          }
        }),
        { numRuns: 15, includeErrorInReport: true },
      );
    }
  }
}, 90_000);
