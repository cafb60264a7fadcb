import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeResponse,
  encodeEvent,
  installedVersion,
  LARGEST_RESPONSE,
  requireInstalled,
} from '../../src/hook/protocol.ts';
import { SextantError } from '../../src/support/errors.ts';

const PAYLOAD = { provider: 'k3s', version: 'v1.36.3+k3s1', logLevel: 'info', config: '', family: 'debian' };
const NAME = 'init.provider.info';
const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const decode = (value: unknown) => decodeResponse(NAME, bytes(value));
const info = (data: unknown) =>
  installedVersion(decode({ state: 'success', data: JSON.stringify(data) }), PAYLOAD);

describe('an event', () => {
  it('is what go-pluggable writes: the payload as JSON text inside the JSON', () => {
    expect(encodeEvent('init.provider.install', PAYLOAD)).toEqual({
      name: 'init.provider.install',
      stdin:
        '{"name":"init.provider.install","data":"{\\"provider\\":\\"k3s\\",\\"version\\":\\"v1.36.3+k3s1\\",\\"logLevel\\":\\"info\\",\\"config\\":\\"\\",\\"family\\":\\"debian\\"}","file":""}',
    });
  });

  it('carries any payload unchanged, in a file beyond 8192 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(1500), (text, repeat) => {
        const payload = { ...PAYLOAD, config: text.repeat(repeat) };
        const event = encodeEvent('init.provider.install', payload);
        const sent = JSON.parse(event.stdin) as { data: string; file: string };
        expect(sent.file).toBe(event.file?.path ?? '');
        expect(Buffer.byteLength(sent.data)).toBeLessThanOrEqual(8192);
        expect(JSON.parse(event.file?.content ?? sent.data)).toEqual(payload);
      }),
    );
  });
});

describe('a response', () => {
  it('may lack everything but its state, and have members of its own', () => {
    expect(decode({ state: 'success', more: [1] })).toEqual({
      state: 'success',
      data: '',
      error: '',
      log: '',
    });
    expect(decode({ state: 'success', data: null, log: 'said' })).toMatchObject({ data: '', log: 'said' });
  });

  it('that has an error is an error whatever its state says', () => {
    expect(decode({ error: 'no' }).state).toBe('error');
    expect(decode({ state: 'success', error: 'no' }).state).toBe('error');
  });

  it.each([
    ['', 'empty'],
    ['  \n', 'empty'],
    ['hello', 'not JSON'],
    ['{"state":"success"} trailing', 'not JSON'],
    ['{"state":"success"}{"state":"success"}', 'not JSON'],
    ['\ufeff{"state":"success"}', 'not JSON'],
    ['null', 'not a JSON object'],
    ['["success"]', 'not a JSON object'],
    ['"success"', 'not a JSON object'],
    ['{}', 'has the state ""'],
    ['{"state":"done"}', 'has the state "done"'],
    ['{"state":7}', 'state that is not a text'],
    ['{"state":"success","data":{}}', 'data that is not a text'],
    ['{"state":"success","error":["x"]}', 'error that is not a text'],
  ])('is refused when it is %j', (text, why) => {
    expect(() => decode(text)).toThrow(why);
  });

  it('that is too long is refused before it is parsed', () => {
    expect(() => decodeResponse(NAME, Buffer.alloc(LARGEST_RESPONSE + 1, ' '))).toThrow('longer than');
  });

  it('of any bytes is decoded or refused as a fault of the tool, nothing else', () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .record({ state: fc.anything(), data: fc.anything(), error: fc.anything() }, { requiredKeys: [] })
        .map((value) => Buffer.from(JSON.stringify(value) ?? '')),
    );
    fc.assert(
      fc.property(anything, (stdout) => {
        try {
          const response = decodeResponse(NAME, stdout);
          for (const text of [response.state, response.data, response.error, response.log]) {
            expect(typeof text).toBe('string');
          }
        } catch (error) {
          expect(error).toBeInstanceOf(SextantError);
          expect((error as SextantError).code).toBe('tool');
          expect((error as SextantError).message).not.toContain('\n');
        }
      }),
    );
  });
});

describe('the outcome of install', () => {
  it('names the first line of what the provider gives as the reason', () => {
    const failed = decode({ state: 'error', error: '\ncurl: (22) 404\nmore' });
    expect(() => requireInstalled(failed, PAYLOAD)).toThrow("the provider's hook failed: curl: (22) 404");
  });

  it('names the distribution when the provider does not know it', () => {
    const response = decode({ state: 'non-applicable' });
    expect(() => requireInstalled(response, { ...PAYLOAD, provider: 'rke9' })).toThrow(
      'does not install "rke9"',
    );
  });
});

describe('the version in an info response', () => {
  it('is what the provider reports, without white space around it', () => {
    expect(info({ provider: 'k3s', version: 'v1.36.3+k3s1\n' })).toBe('v1.36.3+k3s1');
  });

  it.each([
    [{ provider: 'k0s', version: 'v1' }, 'reports "k0s" installed, not k3s'],
    [{ provider: 'k3s', version: '' }, 'could not tell its version'],
    [{ provider: 'k3s' }, 'lacks provider and version'],
    [['k3s', 'v1'], 'lacks provider and version'],
    [null, 'lacks provider and version'],
  ])('is refused from %j', (data, why) => {
    expect(() => info(data)).toThrow(why);
  });

  it('is refused from data that is not JSON, an error, and a provider that finds nothing', () => {
    expect(() => installedVersion(decode({ state: 'success', data: 'v1' }), PAYLOAD)).toThrow('is not JSON');
    expect(() => installedVersion(decode({ state: 'error', error: 'boom' }), PAYLOAD)).toThrow('boom');
    expect(() => installedVersion(decode({ state: 'non-applicable' }), PAYLOAD)).toThrow('finds no k3s');
  });
});
