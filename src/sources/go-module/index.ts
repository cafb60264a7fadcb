import type { SourceRoom } from '../types.ts';
import { buildGoModule } from './build.ts';
import { resolveGoModule } from './resolve.ts';

export { type GoBuilder, goBuilder } from './builder.ts';
export { hostGo } from './toolchain.ts';

/** Programs of Go modules, built for the target architecture from pinned modules. */
export const goModule: SourceRoom<'go-module'> = { resolve: resolveGoModule, materialize: buildGoModule };
