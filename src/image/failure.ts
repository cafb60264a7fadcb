import { SextantError } from '../support/errors.ts';

/** The bytes are not an extension image, or not one that we read. `name` is what a person knows the image by, usually its path. */
export function malformed(name: string, what: string, cause?: unknown): SextantError {
  return new SextantError('input', `${name}: ${what}`, {
    hint: 'an extension is a disk image with a root and a root-verity partition, as `sextant build` writes it',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The bytes are an image, and not the one that its hashes or its signature promise. */
export function unverified(
  name: string,
  what: string,
  hint = 'do not use this file: build it again, or fetch it again from where it was published',
): SextantError {
  return new SextantError('verification', `${name}: ${what}`, { hint });
}
