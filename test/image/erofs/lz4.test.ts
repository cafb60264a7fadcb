import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLz4 } from '../../../src/image/erofs/lz4.ts';
import { SextantError } from '../../../src/support/errors.ts';

interface Sequence {
  readonly literals: Uint8Array;
  readonly distance: number;
  readonly length: number;
}

/** The block that the sequences describe, and what it decodes to, byte by byte (lz4_Block_format.md). */
function encode(sequences: readonly Sequence[], last: Uint8Array): { block: Buffer; decoded: Buffer } {
  const block: number[] = [];
  const decoded: number[] = [];
  const extend = (value: number) => {
    if (value < 15) return;
    let rest = value - 15;
    for (; rest >= 255; rest -= 255) block.push(255);
    block.push(rest);
  };
  for (const { literals, distance, length } of sequences) {
    const available = decoded.length + literals.length;
    const back = available === 0 ? 0 : 1 + (distance % Math.min(available, 65535));
    if (back === 0) continue;
    block.push((Math.min(literals.length, 15) << 4) | Math.min(length - 4, 15));
    extend(literals.length);
    block.push(...literals);
    decoded.push(...literals);
    block.push(back & 255, back >> 8);
    extend(length - 4);
    for (let count = 0; count < length; count += 1) decoded.push(decoded[decoded.length - back] as number);
  }
  block.push(Math.min(last.length, 15) << 4);
  extend(last.length);
  block.push(...last);
  decoded.push(...last);
  return { block: Buffer.from(block), decoded: Buffer.from(decoded) };
}

const sequences = fc.array(
  fc.record({
    literals: fc.uint8Array({ maxLength: 400 }),
    distance: fc.nat({ max: 3000 }),
    length: fc.integer({ min: 4, max: 1200 }),
  }),
  { maxLength: 8 },
);
const lastLiterals = fc.uint8Array({ maxLength: 300 });

describe('an lz4 block', () => {
  it('decodes to what its sequences say', () => {
    fc.assert(
      fc.property(sequences, lastLiterals, (list, last) => {
        const { block, decoded } = encode(list, last);
        const target = Buffer.alloc(decoded.length, 0xee);
        expect(decodeLz4(block, target)).toBe(decoded.length);
        expect(target.equals(decoded)).toBe(true);
      }),
    );
  });

  it('decodes in part to any shorter length, whatever follows it', () => {
    fc.assert(
      fc.property(
        sequences,
        lastLiterals,
        fc.nat(),
        fc.uint8Array({ maxLength: 40 }),
        (list, last, cut, after) => {
          const { block, decoded } = encode(list, last);
          fc.pre(decoded.length > 0);
          const target = Buffer.alloc(1 + (cut % decoded.length));
          expect(decodeLz4(Buffer.concat([block, after]), target, true)).toBe(target.length);
          expect(target.equals(decoded.subarray(0, target.length))).toBe(true);
        },
      ),
    );
  });

  it('is refused when it decodes to more than there is room for', () => {
    fc.assert(
      fc.property(sequences, lastLiterals, fc.nat(), (list, last, cut) => {
        const { block, decoded } = encode(list, last);
        fc.pre(decoded.length > 0);
        expect(() => decodeLz4(block, Buffer.alloc(cut % decoded.length))).toThrow(SextantError);
      }),
    );
  });

  it('of any bytes ends in a result or an error, and nothing outside the target is written', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 600 }),
        fc.nat({ max: 2000 }),
        fc.boolean(),
        (source, size, partial) => {
          const around = Buffer.alloc(size + 64, 0xa5);
          try {
            expect(decodeLz4(source, around.subarray(32, 32 + size), partial)).toBeLessThanOrEqual(size);
          } catch (error) {
            expect(error).toBeInstanceOf(SextantError);
          }
          const fence = Buffer.alloc(32, 0xa5);
          expect(around.subarray(0, 32).equals(fence) && around.subarray(32 + size).equals(fence)).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['nothing', []],
    ['a literal length without its end', [0xf0, 255]],
    ['literals that are missing', [0x50, 1, 2]],
    ['half an offset', [0x10, 65, 1]],
    ['an offset of zero', [0x10, 65, 0, 0, 0x00]],
    ['an offset before the data', [0x10, 65, 2, 0, 0x00]],
    ['a match length without its end', [0x1f, 65, 1, 0, 255]],
    ['a match at the end', [0x10, 65, 1, 0]],
  ])('is refused when it is %s', (_, bytes) => {
    expect(() => decodeLz4(Uint8Array.from(bytes), Buffer.alloc(100))).toThrow(/lz4/);
  });
});
