import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type GateMessage, messageReader } from '../../src/hook/gate-messages.ts';

const MESSAGES: GateMessage[] = [
  { kind: 'started', foreign: 'private' },
  { kind: 'output', name: 'init.provider.install', data: Buffer.from('line\nline').toString('base64') },
  { kind: 'finished', removed: ['/etc/größe', '/a\nb'] },
];

describe('messages of the gate', () => {
  it('arrive whole however the pipe cuts them', () => {
    const bytes = Buffer.from(MESSAGES.map((message) => `${JSON.stringify(message)}\n`).join(''));
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
        const got: GateMessage[] = [];
        const read = messageReader((message) => got.push(message));
        const ends = [...new Set([0, ...cuts, bytes.length])].sort((a, b) => a - b);
        ends.slice(1).forEach((end, index) => {
          read(bytes.subarray(ends[index], end));
        });
        expect(got).toEqual(MESSAGES);
      }),
    );
  });
});
