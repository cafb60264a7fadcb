import { chmod, constants, copyFile, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { LockedBlob } from '../lock/types.ts';
import type { Component } from '../recipe/schema.ts';
import { SextantError } from '../support/errors.ts';
import { bytesText, inStep } from '../support/progress.ts';
import { isArchiveName, unpackArchive } from './archive.ts';
import { builtFolder } from './built.ts';
import type { SourceContext } from './types.ts';

/**
 * A component that is one downloaded file, as a folder: an archive unpacked, anything else under its own name. An archive that
 * the recipe takes whole (a `from` that is its name, or container images) stays one file. Downloads carry no modes: programs become 0755, the rest 0644.
 */
export async function materializeFile(
  component: Component,
  name: string,
  blob: LockedBlob,
  context: SourceContext,
): Promise<string> {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
    throw new SextantError('input', `${component.name}: "${name}" cannot be the name of a file`, {
      hint: 'check the source in the recipe, then write the lock again with `sextant lock`',
    });
  }
  const whole = component.containerImages || component.files.some(({ from }) => from === name);
  const unpack = isArchiveName(name) && !whole;
  const path = await fetchStep(component.name, name, blob, context);
  const key = unpack
    ? { what: 'unpacked archive', version: 1, sha256: blob.sha256 }
    : { what: 'single file', version: 1, sha256: blob.sha256, name };
  return builtFolder(context, key, async (folder) => {
    if (unpack) {
      await inStep(context.progress, `unpack ${name}`, () =>
        unpackArchive(path, folder, { name: `${component.name}: ${name}`, signal: context.signal }),
      );
    } else {
      await copyInto(path, join(folder, name), (await isProgram(path)) ? 0o755 : 0o644);
    }
  });
}

/** Fetches a blob as one visible step of a component. */
export async function fetchStep(
  componentName: string,
  name: string,
  blob: LockedBlob,
  context: SourceContext,
  headers?: Readonly<Record<string, string>>,
): Promise<string> {
  const stored = await context.store.find(blob.sha256);
  if (stored !== undefined) return context.store.fetch(blob);
  return inStep(
    context.progress,
    `${componentName}: fetch ${name}`,
    (step) => context.store.fetch(blob, step, headers === undefined ? {} : { headers }),
    () => bytesText(blob.size),
  );
}

/** Copies a file (sharing its blocks where the file system can) and gives it a mode, whatever the umask. */
export async function copyInto(from: string, to: string, mode: number): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  await chmod(to, mode);
}

async function isProgram(path: string): Promise<boolean> {
  const head = Buffer.alloc(4);
  const file = await open(path, 'r');
  try {
    await file.read(head, 0, 4, 0);
  } finally {
    await file.close();
  }
  return head.toString('latin1') === '\x7fELF' || head.subarray(0, 2).toString('latin1') === '#!';
}

/** A lock that lacks what a source needs: it was edited by hand or belongs to another recipe. */
export function incompleteLock(componentName: string): SextantError {
  return new SextantError('input', `the lock has nothing usable for component ${componentName}`, {
    hint: 'write it again with `sextant lock`',
  });
}
