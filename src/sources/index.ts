import type { SourceType } from '../recipe/schema.ts';
import type { SourceRoom } from './types.ts';

type Rooms = { readonly [T in SourceType]: () => Promise<SourceRoom<T>> };

// Loaded on use: a command that needs one source does not start the others' libraries.
const ROOMS: Rooms = {
  'github-release': async () => (await import('./github-release/index.ts')).githubRelease,
  url: async () => (await import('./url/index.ts')).url,
  'go-module': async () => (await import('./go-module/index.ts')).goModule,
  debian: async () => (await import('./debian/index.ts')).debian,
  oci: async () => (await import('./oci/index.ts')).oci,
  file: async () => (await import('./file/index.ts')).file,
};

/** What resolves and materializes components of a source type. */
export function sourceFor<T extends SourceType>(type: T): Promise<SourceRoom<T>> {
  return ROOMS[type]();
}
