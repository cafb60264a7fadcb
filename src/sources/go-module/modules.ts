import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LockedBlob } from '../../lock/types.ts';
import { SextantError } from '../../support/errors.ts';
import { fileDigest, withTemporaryFolder } from '../../support/files.ts';
import { inStep, type Step } from '../../support/progress.ts';
import { mirrored } from '../mirrors.ts';
import type { SourceContext } from '../types.ts';
import { type GoNetwork, type GoRun, goFolder, goNetwork, offlineEnvironment, runGo } from './go-command.ts';
import { type ModuleFile, moduleAddress, parseModuleAddress, proxyPath } from './module-files.ts';

/** Go's own proxy, as mirrors of a recipe know it. */
export const GO_PROXY = 'https://proxy.golang.org';

/** One of many downloads that one step stands for. */
const quiet: Step = { update: () => {}, done: () => {}, fail: () => {} };

/** Modules asked for in one call of the go command: far below the limit of a command line. */
const BATCH = 100;

/** Where Go's module cache keeps the files as proxies serve them; it is a proxy's folder itself. */
export function downloadFolder(moduleCache: string): string {
  return join(moduleCache, 'cache/download');
}

interface Taken {
  readonly file: ModuleFile;
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
}

/**
 * Downloads modules by the go command, which checks them against the checksum database as the caller's settings say, and takes the
 * files into the store. A `zip` brings its module's go.mod along.
 */
export async function downloadModules(
  wanted: readonly ModuleFile[],
  network: GoNetwork,
  context: SourceContext,
  component: string,
  expected?: (file: ModuleFile) => LockedBlob | undefined,
): Promise<Taken[]> {
  const work = goFolder(context, 'work');
  await mkdir(work, { recursive: true });
  const go: GoRun = {
    program: 'go',
    env: { ...offlineEnvironment(context, 'amd64'), ...network.variables },
    cwd: work,
    signal: context.signal,
    subject: component,
    component,
  };
  const names = (files: readonly ModuleFile[]) => [
    ...new Set(files.map(({ path, version }) => `${path}@${version}`)),
  ];
  const zips = names(wanted.filter(({ kind }) => kind === 'zip'));
  const others = names(wanted.filter(({ kind }) => kind !== 'zip')).filter((name) => !zips.includes(name));
  for (let at = 0; at < zips.length; at += BATCH) {
    await runGo(['mod', 'download', '-json', ...zips.slice(at, at + BATCH)], go);
  }
  for (let at = 0; at < others.length; at += BATCH) {
    await runGo(['list', '-m', '-json', ...others.slice(at, at + BATCH)], go);
  }
  const files = expected
    ? wanted
    : wanted.flatMap(({ path, version }) =>
        (['mod', 'zip'] as const).map((kind): ModuleFile => ({ path, version, kind })),
      );
  return takeIntoStore(files, downloadFolder(goFolder(context, 'mod')), context, expected);
}

/** Copies files of a proxy's folder into the store. One that is not what the lock says is a `verification` error and stays out. */
export async function takeIntoStore(
  files: readonly ModuleFile[],
  folder: string,
  context: SourceContext,
  expected?: (file: ModuleFile) => LockedBlob | undefined,
): Promise<Taken[]> {
  return withTemporaryFolder(join(goFolder(context, 'work'), 'take'), async (work) => {
    const taken: Taken[] = [];
    for (const file of files) {
      const path = join(folder, proxyPath(file));
      const digest = await fileDigest(path, context.signal);
      const locked = expected?.(file);
      if (locked && locked.sha256 !== digest.sha256) {
        throw new SextantError(
          'verification',
          `${locked.url}: wrong content: expected sha256 ${locked.sha256}, got sha256 ${digest.sha256}`,
          { hint: 'do not use it: the proxy serves something else than when it was locked' },
        );
      }
      const present = await context.store.find(digest.sha256);
      if (present !== undefined) {
        taken.push({ file, path: present, ...digest });
        continue;
      }
      const copy = join(work, 'file');
      await copyFile(path, copy);
      const added = await context.store.add(copy);
      taken.push({ file, path: added.path, sha256: added.sha256, size: added.size });
    }
    return taken;
  });
}

/**
 * Paths of pinned module files in the store. Missing ones are downloaded again and checked, unless frozen: then an `input` error says
 * what is missing.
 */
export async function storedModules(
  inputs: readonly LockedBlob[],
  context: SourceContext,
  component: string,
): Promise<{ blob: LockedBlob; stored: string }[]> {
  const found = new Map<string, string>();
  const missing = new Map<string, LockedBlob>();
  for (const blob of inputs) {
    const path = await context.store.find(blob.sha256);
    if (path !== undefined) found.set(blob.sha256, path);
    else missing.set(blob.url, blob);
  }
  const [first] = missing.values();
  if (first && context.frozen) {
    const more = missing.size > 1 ? ` and ${missing.size - 1} more Go module files` : '';
    throw new SextantError(
      'input',
      `${component}: ${first.url} (sha256 ${first.sha256})${more} not in the cache`,
      {
        hint: 'a frozen build fetches nothing: run `sextant build` once without --frozen, or bring the cache along',
      },
    );
  }
  if (first) {
    await inStep(context.progress, `${component}: download ${missing.size} Go module files`, async () => {
      const files = [...missing.keys()].map((url) => {
        const file = parseModuleAddress(url);
        if (file) return file;
        throw new SextantError('input', `${component}: the lock holds ${url}, which is no Go module file`, {
          hint: `run \`sextant lock --update ${component}\``,
        });
      });
      if (mirrored(GO_PROXY, context.mirrors) !== GO_PROXY) {
        // A mirror stands for the proxy: the lock's digests are what the files are held against, and no checksum database is there.
        for (const file of files) {
          const blob = missing.get(moduleAddress(file));
          if (blob === undefined) continue;
          const path = await context.store.fetch({ ...blob, url: `${GO_PROXY}/${proxyPath(file)}` }, quiet);
          found.set(blob.sha256, path);
        }
        return;
      }
      const network = await goNetwork(context);
      const taken = await downloadModules(files, network, context, component, (file) =>
        missing.get(moduleAddress(file)),
      );
      for (const { sha256, path } of taken) found.set(sha256, path);
    });
  }
  return inputs.map((blob) => ({ blob, stored: found.get(blob.sha256) ?? '' }));
}
