import { relative } from 'node:path';
import { reachable } from '../../release/reachable.ts';
import type { Architecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';
import { packageFolder } from '../../support/package.ts';
import { build } from './build.ts';

/** Builds recipes/k3s.yaml where its downloads can be reached, else recipes/lab.yaml, and says which and why. */
export async function quickstart(
  options: { readonly output: string; readonly arch?: readonly Architecture[] },
  context: Context,
): Promise<void> {
  const folder = relative(process.cwd(), `${packageFolder()}/recipes`) || 'recipes';
  const away = await reachable(`${folder}/k3s.yaml`, context);
  const recipe = `${folder}/${away === undefined ? 'k3s' : 'lab'}.yaml`;
  context.progress.say(
    away === undefined
      ? `the release downloads answer: building ${recipe}`
      : `${away.address} does not answer (${away.why}): building ${recipe}, with stand-ins for what is only published there`,
  );
  await build({ ...options, recipe }, context);
}
