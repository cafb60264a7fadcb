import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { HookRequest, HookResult } from '../../src/hook/index.ts';
import { packageFolder } from '../../src/support/package.ts';
import { run } from '../../src/support/subprocess.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** A hook request as JSON; `files` answers addresses. */
export type DriverRequest = Omit<HookRequest, 'answer' | 'context'> & {
  readonly files: Readonly<Record<string, string>>;
};

export interface DriverOutcome {
  readonly result?: HookResult;
  readonly error?: { code: string; message: string; hint?: string; details?: string };
}

const NOBODY = 65534;

/** The words that start a command as a user without rights; none where the tests have none themselves. */
export const DROP_ROOT: readonly string[] =
  process.getuid?.() === 0
    ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--']
    : [];

/** Gives a folder to the user without rights. */
export async function giveToNobody(folder: string): Promise<void> {
  if (DROP_ROOT.length > 0) await run('chown', ['-R', `${NOBODY}:${NOBODY}`, folder]);
}

/** Bundles the driver where it finds the project's programs. */
export async function buildDriver(): Promise<string> {
  const folder = join(packageFolder(), 'test-results');
  await mkdir(folder, { recursive: true });
  const outfile = join(folder, `hook-driver.${process.pid}.mjs`);
  await build({
    entryPoints: [join(import.meta.dirname, 'driver.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
    banner: {
      js: "import { createRequire as _cr } from 'node:module'; const require = _cr(import.meta.url);",
    },
  });
  return outfile;
}

/** Runs a hook by the driver, `prefix` being what starts it. */
export async function runDriver(
  driver: string,
  request: DriverRequest,
  prefix: readonly string[] = DROP_ROOT,
): Promise<DriverOutcome> {
  const folder = await temporaryFolder();
  await chmod(folder, 0o755);
  const file = join(folder, 'request.json');
  await writeFile(file, JSON.stringify(request));
  const [command = '', ...args] = [...prefix, process.execPath, driver, file];
  const { stdout } = await run(command, args, { timeoutSeconds: 120 });
  return JSON.parse(stdout.toString()) as DriverOutcome;
}
