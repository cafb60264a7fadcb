import { describe, expect, it } from 'vitest';
import { sandboxFailure } from '../../src/hook/sandbox-failure.ts';

describe('a sandbox that cannot be made', () => {
  it('says that namespaces are not permitted, and what to set', () => {
    const error = sandboxFailure('unshare: unshare failed: Operation not permitted\n', false, 'single');
    expect(error.code).toBe('tool');
    expect(error.message).toBe(
      'the sandbox of the hook cannot be made here without root (namespaces): unshare: unshare failed: Operation not permitted',
    );
    expect(error.hint).toContain('sysctl -w user.max_user_namespaces=15000');
  });

  it('names the step that failed, without what mount says about dmesg', () => {
    const said =
      'mount: merged: wrong fs type.\n       dmesg(1) may have more information.\nsextant-step overlay\n';
    const error = sandboxFailure(said, false, 'none');
    expect(error.message).toBe(
      'the sandbox of the hook cannot be made here as root (overlay): mount: merged: wrong fs type.',
    );
    expect(error.hint).toContain('SEXTANT_CACHE');
  });

  it('is told from one that broke later', () => {
    expect(sandboxFailure('', true, 'none').message).toBe(
      'the sandbox of the hook broke: it ended without a word',
    );
  });
});
