import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Architecture, hostArchitecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { copyFolder } from './folders.ts';
import { goFolder, goNetwork, offlineEnvironment, runGo } from './go-command.ts';

export interface GoBuilder {
  /** Copies a published module ("path@version"), held against the Go checksum database, into the writable folder `to`. */
  copyModule(module: string, to: string): Promise<void>;
  /** Builds the main package of a folder into the file `to`; dependencies are those of its own go.mod and go.sum. */
  build(folder: string, to: string, ldflags?: string): Promise<void>;
}

/**
 * Builds programs of published modules outside any recipe and lock, with the caller's Go, for `architecture` (default: this machine's).
 * The module's own go.sum pins what it depends on. Throws `tool` without Go, `network` and `input` as go-module sources do.
 */
export async function goBuilder(
  context: Context,
  architecture: Architecture = hostArchitecture() ?? 'amd64',
): Promise<GoBuilder> {
  const network = await goNetwork({ ...context, mirrors: [] });
  const env = { ...offlineEnvironment(context, architecture), ...network.variables, GOTOOLCHAIN: 'auto' };
  const run = (args: readonly string[], cwd: string, subject: string) =>
    runGo(args, { program: 'go', env, cwd, signal: context.signal, subject, component: subject });
  return {
    async copyModule(module, to) {
      const work = goFolder(context, 'work');
      await mkdir(work, { recursive: true });
      const { stdout } = await run(['mod', 'download', '-json', module], work, module);
      const { Dir } = JSON.parse(stdout.toString('utf8')) as { Dir?: string };
      if (Dir === undefined)
        throw new SextantError('network', `${module}: the module proxy gives no files of it`);
      await copyFolder(Dir, to, context.signal);
    },
    async build(folder, to, ldflags = '-s -w') {
      await run(
        ['build', '-mod=readonly', '-trimpath', '-buildvcs=false', '-ldflags', ldflags, '-o', to, '.'],
        folder,
        join(folder).split('/').at(-1) ?? folder,
      );
    },
  };
}
