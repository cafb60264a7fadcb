import { loadRecipe } from '../recipe/load.ts';
import { probe } from '../sources/probe.ts';
import type { Context } from '../support/context.ts';

/** How long the answers may take: with the start of the program the decision is there within 10 s. */
export const DECISION_SECONDS = 8;

/**
 * Whether the places that a recipe downloads from answer, asked all at once: undefined when they do, else the first that does not
 * and why. Takes `seconds` at most.
 */
export async function reachable(
  recipeFile: string,
  context: Context,
  seconds = DECISION_SECONDS,
): Promise<{ readonly address: string; readonly why: string } | undefined> {
  const { recipe } = await loadRecipe(recipeFile);
  const addresses = new Set<string>();
  for (const { source } of recipe.components) {
    if (source.type === 'github-release') addresses.add(`https://github.com/${source.repository}/releases`);
    if (source.type === 'url') addresses.add(source.url);
  }
  const installer: Readonly<Record<string, string>> = {
    k3s: 'https://get.k3s.io/',
    k0s: 'https://get.k0s.sh/',
  };
  const asked = installer[recipe.distribution.name];
  if (asked !== undefined) addresses.add(asked);
  const answers = await Promise.all(
    [...addresses].map(async (address) => ({
      address,
      why: await probe(address, { mirrors: recipe.mirrors, seconds, signal: context.signal }),
    })),
  );
  const away = answers.find(({ why }) => why !== undefined);
  return away?.why === undefined ? undefined : { address: away.address, why: away.why };
}
