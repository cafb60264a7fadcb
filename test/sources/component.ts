import { type Component, component, type SourceOf, type SourceType } from '../../src/recipe/schema.ts';

/** A component as a recipe gives it, with the source's defaults filled in. */
export function componentOf<T extends SourceType>(
  source: { readonly type: T } & Readonly<Record<string, unknown>>,
  files: readonly { from: string; to: string }[] = [],
): { component: Component; source: SourceOf<T> } {
  const parsed = component.parse({ name: 'tool', source, files });
  return { component: parsed, source: parsed.source as SourceOf<T> };
}
