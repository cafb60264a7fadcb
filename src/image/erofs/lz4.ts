import { malformed } from './failure.ts';

/** Below this many bytes a loop beats the call of a native copy. */
const LOOP_COPY = 48;

/**
 * Decodes one LZ4 block (lz4_Block_format.md of the LZ4 project) from `source` into `target`, and returns the bytes written.
 * Whole: `source` must be used up by a last run of literals, and its output must fit in `target`. Partial: stops as soon as `target`
 * is full, whatever follows in `source`. Throws `input` when a length or an offset leaves either buffer.
 */
export function decodeLz4(source: Uint8Array, target: Uint8Array, partial = false): number {
  const sourceEnd = source.length;
  const targetEnd = target.length;
  let from = 0;
  let to = 0;
  while (from < sourceEnd) {
    const token = source[from++] as number;

    let literals = token >> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255) {
        if (from >= sourceEnd) throw malformed('an lz4 literal length is cut off');
        more = source[from++] as number;
        literals += more;
      }
    }
    if (literals > targetEnd - to) {
      if (!partial) throw malformed('lz4 data decodes to more than its extent');
      literals = targetEnd - to;
    }
    if (literals > sourceEnd - from) throw malformed('lz4 literals are cut off');
    if (literals < LOOP_COPY) {
      for (let end = to + literals; to < end; ) target[to++] = source[from++] as number;
    } else {
      target.set(source.subarray(from, from + literals), to);
      to += literals;
      from += literals;
    }
    if (from === sourceEnd || (partial && to === targetEnd)) return to;

    if (sourceEnd - from < 2) throw malformed('an lz4 offset is cut off');
    const distance = (source[from] as number) | ((source[from + 1] as number) << 8);
    from += 2;
    if (distance === 0 || distance > to) throw malformed('an lz4 offset points before the data');
    let length = (token & 15) + 4;
    if (length === 19) {
      let more = 255;
      while (more === 255) {
        if (from >= sourceEnd) throw malformed('an lz4 match length is cut off');
        more = source[from++] as number;
        length += more;
      }
    }
    if (length > targetEnd - to) {
      if (!partial) throw malformed('lz4 data decodes to more than its extent');
      length = targetEnd - to;
    }
    copyMatch(target, to, distance, length);
    to += length;
    if (partial && to === targetEnd) return to;
  }
  throw malformed('lz4 data does not end in literals');
}

/** `length` bytes from `distance` before `to`; a match longer than its distance repeats itself. */
function copyMatch(target: Uint8Array, to: number, distance: number, length: number): void {
  const start = to - distance;
  if (length < LOOP_COPY) {
    for (let index = 0; index < length; index += 1) target[to + index] = target[start + index] as number;
    return;
  }
  // What is known doubles with each copy, and copies never overlap.
  for (let done = 0; done < length; ) {
    const known = Math.min(distance + done, length - done);
    target.copyWithin(to + done, start, start + known);
    done += known;
  }
}
