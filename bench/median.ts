/** The middle value; of an even number of values the upper of the two in the middle, of none NaN. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
