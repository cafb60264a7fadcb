import { SextantError } from '../../support/errors.ts';
import type { Release } from '../types.ts';

/** What of a `release.json` that is there already says which release it is. */
export interface Known {
  readonly version: string;
  readonly build: string;
}

/** Reads a `release.json` of any make; undefined for what is none. */
export function knownRelease(text: string): Known | undefined {
  try {
    const value = JSON.parse(text) as { version?: unknown; inputs?: { build?: unknown } } | null;
    const { version, inputs } = value ?? {};
    if (typeof version !== 'string' || typeof inputs?.build !== 'string') return undefined;
    return { version, build: inputs.build };
  } catch {
    return undefined;
  }
}

/**
 * Refuses to put a release in the place of a different one of the same version, or of something that is no release: nodes have pinned what is
 * there. Another version is what a place for the newest release is for. Throws `input`.
 */
export function requireReplaceable(
  there: string | undefined,
  release: Release,
  place: string,
  replace: boolean,
): void {
  if (there === undefined || replace) return;
  const known = knownRelease(there);
  if (known !== undefined && (known.version !== release.version || known.build === release.inputs.build))
    return;
  const what =
    known === undefined ? 'a release.json of another make' : `a different build of ${known.version}`;
  throw new SextantError('input', `${place}: holds ${what}`, {
    hint: 'publish to another place, or put this release there with --replace; nodes that pinned the other then find other bytes',
  });
}
