import type { Lock } from '../../lock/types.ts';
import type { LoadedRecipe } from '../../recipe/load.ts';
import { variants } from '../../recipe/matrix.ts';
import { SextantError } from '../../support/errors.ts';
import { openVariant } from '../open.ts';
import { type Fetched, fetchInputs } from './inputs.ts';
import type { MirrorRequest } from './types.ts';

/** What all releases of the recipe are made from; their locks are written where they are missing or stale. */
export async function everything(request: MirrorRequest, loaded: LoadedRecipe): Promise<Fetched[]> {
  const found = new Map<string, Fetched>();
  for (const variant of variants(loaded.recipe)) {
    const opened: { lock: Lock; session: { sources: Parameters<typeof fetchInputs>[3] } } = await openVariant(
      {
        recipe: request.recipe,
        loaded: { ...loaded, recipe: variant.recipe },
        ...(variant.lock === undefined ? {} : { variant: variant.lock }),
        context: request.context,
        frozen: false,
      },
    );
    const inputs = await fetchInputs(variant.recipe, opened.lock, request.hosts, opened.session.sources);
    for (const each of inputs) {
      const other = found.get(each.blob.url);
      if (other !== undefined && other.blob.sha256 !== each.blob.sha256) {
        throw new SextantError(
          'input',
          `${each.blob.url}: two locks of ${request.recipe} hold different bytes of it`,
          { hint: 'run `sextant watch-upstream --write`, so that both take what is there now' },
        );
      }
      found.set(each.blob.url, each);
    }
  }
  return [...found.values()];
}
