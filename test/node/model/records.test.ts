import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyRecords } from '../../../src/node/model/adopt.ts';
import { crc32c } from '../../../src/node/model/crc32c.ts';
import { explainAll, explainGeneration } from '../../../src/node/model/explain.ts';
import { PREVIOUS_FILE, RECORD_FILE } from '../../../src/node/model/paths.ts';
import { loadRecords, parseRecords, recordsText } from '../../../src/node/model/records-text.ts';
import { observe } from './world/facts.ts';

const FIXTURES = 'test/node/model/fixtures/format-1';
const fixtures = readdirSync(FIXTURES).map(
  (name) => [name, readFileSync(join(FIXTURES, name), 'utf8')] as const,
);
const whole = fixtures.find(([name]) => name === 'upgraded.json')?.[1] ?? '';
const sealed = (body: string, format = 1) =>
  `{"format":${format},"crc32c":"${crc32c(body)}","records":${body}}\n`;

describe('a record file', () => {
  test('its checksum is CRC-32C', () => {
    expect(crc32c('123456789')).toBe('e3069283'); // the check value of the CRC catalogue
    expect(crc32c('')).toBe('00000000');
  });

  test('its checksum covers UTF-8 bytes', () => {
    const bitwise = (bytes: Iterable<number>) => {
      let crc = 0xffffffff;
      for (const byte of bytes) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
      }
      return (~crc >>> 0).toString(16).padStart(8, '0');
    };
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(crc32c(text)).toBe(bitwise(Buffer.from(text, 'utf8')));
      }),
    );
  });

  test.each(fixtures)('of format 1 is read as ever: %s', (name, text) => {
    const parsed = parseRecords(text, name);
    if (!parsed.ok) throw new Error(parsed.message);
    expect(recordsText(parsed.records)).toBe(text);
  });

  test('with any character changed or cut off is told from a whole one', () => {
    fc.assert(
      fc.property(
        fc.nat(whole.length - 1),
        fc.integer({ min: 32, max: 126 }),
        fc.boolean(),
        (at, code, cut) => {
          const changed = cut
            ? whole.slice(0, at)
            : `${whole.slice(0, at)}${String.fromCharCode(code)}${whole.slice(at + 1)}`;
          fc.pre(changed !== whole);
          expect(parseRecords(changed, 'file').ok).toBe(false);
        },
      ),
    );
  });

  test('of a format from the future is refused and not overwritten by the previous copy', () => {
    const newer = sealed('{}', 2);
    const { parsed } = loadRecords({ path: RECORD_FILE, text: newer }, { path: PREVIOUS_FILE, text: whole });
    expect(parsed).toMatchObject({ ok: false, code: 'unknown-format' });
    expect(parsed.ok ? '' : parsed.message).toContain('format 2; this sextant-node knows format 1');
  });

  test.each([
    ['damaged', `${whole.slice(0, 90)}`],
    ['missing', undefined],
  ])('that is %s gives way to the previous copy, and it is said', (_, text) => {
    const { parsed, note } = loadRecords({ path: RECORD_FILE, text }, { path: PREVIOUS_FILE, text: whole });
    expect(parsed.ok).toBe(true);
    expect(note).toContain(PREVIOUS_FILE);
  });

  test('names every problem with its path', () => {
    const { format: _, extra: __, ...records } = emptyRecords('single');
    const wrong = { ...records, counter: -1, boot: { id: 1 }, wanted: 7 };
    const parsed = parseRecords(sealed(JSON.stringify(wrong)), 'file');
    expect(parsed).toMatchObject({ ok: false, code: 'invalid' });
    const message = parsed.ok ? '' : parsed.message;
    expect(message).toContain('counter: a whole number from 0 expected');
    expect(message).toContain('boot.id: a string expected');
  });

  test('keeps what a newer version added', () => {
    const { format: _, extra: __, ...records } = emptyRecords('agent');
    const text = sealed(JSON.stringify({ ...records, later: { kept: true } }));
    const parsed = parseRecords(text, 'file');
    expect(parsed.ok && recordsText(parsed.records)).toBe(text);
  });
});

test('what happened is told in words', () => {
  const parsed = parseRecords(whole, 'file');
  if (!parsed.ok) throw new Error(parsed.message);
  expect(explainAll(parsed.records)).toMatchInlineSnapshot(`
    [
      "generation 3 (Kubernetes v1.33.2+k3s1 on Debian 13): bad, Kubernetes did not become healthy in time: the API did not answer for 900 s; it runs now; 1 of 3 tries used",
      "generation 1 (Kubernetes v1.33.1+k3s1 on Debian 13): good, Kubernetes was healthy on it for the set time",
    ]
  `);
  const observation = observe({
    slot: 'active',
    os: 0,
    active: 0,
    passive: 0,
    mislabelled: false,
    store: 1,
    links: [0, 0],
    enabled: 0,
    assessing: false,
    writable: true,
    recordWhole: true,
    datastore: 'single',
  });
  expect(explainGeneration(parsed.records, 3, observation)).toMatchInlineSnapshot(`
    [
      "generation 3 (Kubernetes v1.33.2+k3s1 on Debian 13): bad, Kubernetes did not become healthy in time: the API did not answer for 900 s (2026-11-24T01:15:00Z)",
      "it runs now",
      "1 of 3 tries used",
      "/var/lib/kairos/extensions/sextant/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/provider-kairos.sysext.raw is missing or cut short",
      "datastore snapshot taken before its trial: before-2",
      "2026-11-24T01:00:00Z generation 3: Kubernetes v1.33.2+k3s1 was asked for",
      "2026-11-24T01:15:00Z generation 3: Kubernetes did not become healthy in time: the API did not answer for 900 s",
      "2026-11-24T01:15:00Z health silent: the API did not answer for 900 s",
    ]
  `);
});
