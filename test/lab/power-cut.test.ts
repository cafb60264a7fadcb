import { expect, test } from 'vitest';
import { momentsFrom } from '../../src/lab/scenarios/generations/power-cut.ts';

test('the moments of power cuts follow from the seed and lie within the time given', () => {
  const moments = momentsFrom(42, 1000, 300);
  expect(momentsFrom(42, 1000, 300)).toEqual(moments);
  expect(momentsFrom(43, 1000, 300)).not.toEqual(moments);
  for (const moment of moments) expect(moment >= 0 && moment <= 300).toBe(true);
  // All of the time is drawn from: a tenth of it is never left out by a thousand.
  for (let tenth = 0; tenth < 10; tenth++)
    expect(moments.some((moment) => Math.floor(moment / 30) === tenth)).toBe(true);
});
