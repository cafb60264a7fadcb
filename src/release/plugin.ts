import type { Recipe } from '../recipe/schema.ts';
import { SextantError } from '../support/errors.ts';
import { componentFile } from './component-file.ts';

/** The provider plug-in's file in its component's folder. */
export async function findPlugin(recipe: Recipe, folders: ReadonlyMap<string, string>): Promise<string> {
  const { component, plugin } = recipe.provider;
  const folder = folders.get(component) ?? '';
  const taken = recipe.components
    .find(({ name }) => name === component)
    ?.files.find(({ to }) => to.endsWith(`/${plugin}`))?.from;
  for (const name of taken === undefined ? [plugin] : [taken, plugin]) {
    const path = await componentFile(folder, name);
    if (path !== undefined) return path;
  }
  throw new SextantError('input', `component ${component} holds no ${plugin}`, {
    hint: `list it in the component's files, with a "to" that ends in /${plugin}`,
  });
}
