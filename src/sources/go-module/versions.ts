import { mkdir } from 'node:fs/promises';
import { z } from 'zod';
import { SextantError } from '../../support/errors.ts';
import type { SourceContext } from '../types.ts';
import { goFolder, goNetwork, offlineEnvironment, runGo } from './go-command.ts';

const listed = z.object({ Versions: z.array(z.string()).default([]) });

/** The published versions of a module, as the caller's proxies list them (`go list -m -versions`); retracted ones are not among them. */
export async function moduleVersions(
  module: string,
  context: SourceContext,
  component: string,
): Promise<readonly string[]> {
  const work = goFolder(context, 'work');
  await mkdir(work, { recursive: true });
  const network = await goNetwork(context);
  const { stdout } = await runGo(['list', '-m', '-versions', '-json', `${module}@latest`], {
    program: 'go',
    env: { ...offlineEnvironment(context, 'amd64'), ...network.variables },
    cwd: work,
    signal: context.signal,
    subject: `${component} (${module})`,
    component,
  });
  const parsed = listed.safeParse(JSON.parse(stdout.toString('utf8')));
  if (parsed.success) return parsed.data.Versions;
  throw new SextantError('tool', `${component}: \`go list -m -versions ${module}\` answers something else`, {
    hint: 'use a newer Go',
  });
}
