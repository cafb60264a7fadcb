import { readFile } from 'node:fs/promises';
import type { LockedBlob } from '../lock/types.ts';
import { inStep } from '../support/progress.ts';
import { findChecksum } from './checksums.ts';
import { lastPart } from './mirrors.ts';
import type { SourceContext } from './types.ts';

/** The digest that an upstream list of SHA-256 sums gives for a file name. Throws `verification` when it gives none. */
export async function publishedChecksum(
  checksumsUrl: string,
  name: string,
  context: SourceContext,
): Promise<string> {
  const { path } = await context.store.discover(checksumsUrl);
  return findChecksum(await readFile(path, 'utf8'), name, checksumsUrl);
}

/**
 * Pins an address: downloads it, holds it against the digest where one is known, and says what it was held against. A file that
 * is stored already is not downloaded again when its digest is known.
 */
export async function pin(
  componentName: string,
  url: string,
  expected: { readonly sha256: string; readonly from: string } | undefined,
  context: SourceContext,
): Promise<LockedBlob> {
  const { blob } = await inStep(context.progress, `${componentName}: pin ${lastPart(url)}`, (step) =>
    context.store.discover(url, step, expected === undefined ? {} : { sha256: expected.sha256 }),
  );
  return expected === undefined ? blob : { ...blob, checkedAgainst: expected.from };
}
