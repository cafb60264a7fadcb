import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { removedAtExit } from '../../support/at-exit.ts';
import type { Context } from '../../support/context.ts';
import { SextantError, withPlace } from '../../support/errors.ts';
import { fileDigest, temporaryName } from '../../support/files.ts';
import { bytesText, inStep, type Step } from '../../support/progress.ts';
import type { Contents, ReleaseFile } from './contents.ts';
import { exclusively } from './folder-lock.ts';
import { requireReplaceable } from './same-release.ts';

export interface FolderReport {
  readonly folder: string;
  readonly changed: boolean;
  readonly copied: readonly string[];
  readonly present: readonly string[];
  /** What else is there, earlier releases' images for instance; nodes may still fetch it. */
  readonly others: readonly string[];
}

/**
 * Publishes a release to a folder that a web server shows. Each file is written under a temporary name, checked against its digest while it is
 * copied, synced and renamed; what nodes act on (release.json, activation.yaml) comes last, so that they never name what is not there. Files that
 * are there and the same are left alone. Throws `input` for a folder that holds a different release of the same version (unless `replace`) or
 * that another publish is at work in, `filesystem`, and `verification` when a file changes meanwhile.
 */
export async function publishToFolder(
  contents: Contents,
  folder: string,
  context: Context,
  options: { readonly replace?: boolean } = {},
): Promise<FolderReport> {
  await mkdir(folder, { recursive: true });
  return exclusively(folder, async () => {
    const there = await readFile(join(folder, 'release.json'), 'utf8').catch(absent);
    requireReplaceable(there, contents.release, folder, options.replace === true);
    const copied: string[] = [];
    const present: string[] = [];
    for (const file of contents.files) {
      context.signal.throwIfAborted();
      if (await isThere(folder, file, context.signal)) present.push(file.name);
      else {
        await inStep(
          context.progress,
          `copy ${file.name}`,
          (step) => copyFile(file, join(folder, file.name), context.signal, step),
          () => bytesText(file.size),
        );
        copied.push(file.name);
      }
    }
    const ours = new Set(contents.files.map(({ name }) => name));
    const others = (await readdir(folder)).filter((name) => !ours.has(name) && !name.startsWith('.')).sort();
    return { folder, changed: copied.length > 0, copied, present, others };
  });
}

async function isThere(folder: string, file: ReleaseFile, signal: AbortSignal): Promise<boolean> {
  const path = join(folder, file.name);
  const found = await stat(path).catch(absent);
  if (found?.isFile() !== true || found.size !== file.size) return false;
  return (await fileDigest(path, signal)).sha256 === file.sha256;
}

async function copyFile(file: ReleaseFile, to: string, signal: AbortSignal, step: Step): Promise<void> {
  const temporary = temporaryName(to);
  const keep = removedAtExit(temporary);
  try {
    const out = await open(temporary, 'wx', 0o644);
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const piece of createReadStream(file.path, { highWaterMark: 1024 * 1024, signal })) {
        hash.update(piece as Buffer);
        await out.writeFile(piece as Buffer);
        bytes += (piece as Buffer).length;
        step.update({ bytes, total: file.size });
      }
      await out.chmod(0o644);
      await out.sync();
    } finally {
      await out.close();
    }
    if (hash.digest('hex') !== file.sha256) {
      throw new SextantError('verification', `${file.path}: was changed while it was published`, {
        hint: 'nothing may change a release while it is published; build it again',
      });
    }
    await rename(temporary, to);
    await syncFolder(join(to, '..'));
  } catch (error) {
    await rm(temporary, { force: true });
    throw withPlace(error, to, temporary);
  } finally {
    keep();
  }
}

/** So that a crash cannot keep a later rename and lose an earlier one. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}
