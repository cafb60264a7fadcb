import type { LockedComponent } from '../lock/types.ts';
import { findComponent } from '../recipe/load.ts';
import type { Component } from '../recipe/schema.ts';
import { sourceFor } from '../sources/index.ts';
import type { Architecture } from '../support/architecture.ts';
import { canonicalJson, sha256 } from '../support/files.ts';
import { bytesText, inStep } from '../support/progress.ts';
import type { Session } from './session.ts';

/** Pins one component for one architecture, as a step of its own. */
export async function resolveComponent(
  session: Session,
  name: string,
  architecture: Architecture,
): Promise<LockedComponent> {
  const component = required(session, name);
  return inStep(
    session.sources.progress,
    `lock ${name} (${architecture})`,
    async () => {
      const source = await sourceFor(component.source.type);
      const locked = await source.resolve(component, component.source, architecture, session.sources);
      return { ...locked, definition: definitionDigest(component) };
    },
    (locked) => `${locked.version}, ${fetched(locked)}`,
  );
}

/** SHA-256 of where a component comes from, as the recipe defines it. */
export function definitionDigest({ source }: Component): string {
  return sha256(canonicalJson(source));
}

/** Folder of each component for one architecture, made from the lock's bytes. */
export async function materializeComponents(
  session: Session,
  locked: readonly LockedComponent[],
  architecture: Architecture,
): Promise<Map<string, string>> {
  const made = await Promise.all(
    locked.map(async (entry): Promise<[string, string]> => {
      const component = required(session, entry.name);
      const folder = await inStep(
        session.sources.progress,
        `${entry.name} (${architecture})`,
        async () => {
          const source = await sourceFor(component.source.type);
          return source.materialize(component, component.source, entry, architecture, session.sources);
        },
        () => `${entry.version}, ${fetched(entry)}`,
      );
      return [entry.name, folder];
    }),
  );
  return new Map(made);
}

function required(session: Session, name: string) {
  const component = findComponent(session.recipe, name);
  if (component === undefined) throw new Error(`the lock names ${name}, the recipe does not`);
  return component;
}

function fetched({ inputs }: LockedComponent): string {
  const bytes = inputs.reduce((sum, { size }) => sum + size, 0);
  return `${bytesText(bytes)} in ${inputs.length} ${inputs.length === 1 ? 'file' : 'files'}`;
}
