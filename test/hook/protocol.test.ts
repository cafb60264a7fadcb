import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeResponse, encodeEvent, installedVersion } from '../../src/hook/protocol.ts';
import { checkVersion } from '../../src/hook/version.ts';
import { SextantError } from '../../src/support/errors.ts';

const payload = { provider: 'k3s', version: 'v1.36.3+k3s1', logLevel: 'info', config: '', family: 'debian' };
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

test('an event is the name as argument and a JSON text with the payload as JSON in a string', () => {
  const text = JSON.stringify(encodeEvent('init.provider.install', payload));
  expect(text).toContain('init.provider.install');
  expect(text).toContain('v1.36.3+k3s1');
});

test('the version is read out of the answer to info', () => {
  const answer = decodeResponse(
    'init.provider.info',
    bytes({
      state: 'success',
      data: JSON.stringify({ provider: 'k3s', version: 'v1.36.3+k3s1' }),
      error: '',
    }),
  );
  expect(installedVersion(answer, payload)).toBe('v1.36.3+k3s1');
});

test('any bytes for an answer end in an answer or in one tool error', () => {
  const malformed = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value)),
    fc.jsonValue().map(bytes),
    fc.record({ state: fc.jsonValue(), data: fc.jsonValue(), error: fc.jsonValue() }).map(bytes),
  );
  fc.assert(
    fc.property(malformed, (stdout) => {
      try {
        installedVersion(decodeResponse('init.provider.info', stdout), payload);
      } catch (error) {
        expect(error).toBeInstanceOf(SextantError);
        expect((error as SextantError).code).toBe('tool');
      }
    }),
  );
});

test('versions are compared as their distribution writes them', () => {
  expect(checkVersion('k3s', 'v1.36.3+k3s1', 'v1.36.3+k3s1')).toBe(true);
  expect(checkVersion('k3s', 'v1.36.3+k3s1', 'v1.36.3+k3s2')).toBe(false);
  expect(checkVersion('k0s', 'warning: x\nv1.36.3+k0s.0\n', 'v1.36.3+k0s.0')).toBe(true);
  expect(checkVersion('k3s', '', 'v1.36.3+k3s1')).toBe(false);
});
