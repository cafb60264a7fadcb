import { SextantError } from '../support/errors.ts';

/** What a tool ran into while it wrote to `output`: a full disk as the `filesystem` error that it is, anything else as it came. */
export function fullDiskOr(error: unknown, output: string): unknown {
  const full = error instanceof SextantError && /No space left on device/i.test(error.details ?? '');
  if (!full) return error;
  return new SextantError('filesystem', `${output}: no space left on the disk`, {
    hint: 'free some space, or point --output at another disk',
    cause: error,
  });
}
