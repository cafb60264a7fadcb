import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { timeLimit } from '../../src/hook/time-limit.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a time limit', () => {
  it('aborts when it is used up', () => {
    const limit = timeLimit(10);
    vi.advanceTimersByTime(9_999);
    expect(limit.expired()).toBe(false);
    vi.advanceTimersByTime(1);
    expect(limit.signal.aborted).toBe(true);
  });

  it('stands still while it is paused', () => {
    const limit = timeLimit(10);
    vi.advanceTimersByTime(6_000);
    limit.pause();
    vi.advanceTimersByTime(60_000);
    limit.pause();
    limit.resume();
    vi.advanceTimersByTime(3_999);
    expect(limit.expired()).toBe(false);
    vi.advanceTimersByTime(1);
    expect(limit.expired()).toBe(true);
  });

  it('never aborts once it is stopped', () => {
    const limit = timeLimit(10);
    limit.stop();
    vi.advanceTimersByTime(60_000);
    expect(limit.expired()).toBe(false);
  });
});
