import type { SourceRoom } from '../types.ts';
import { buildGoModule } from './build.ts';
import { resolveGoModule } from './resolve.ts';

export { type GoBuilder, goBuilder } from './builder.ts';
export { parseModuleAddress, proxyPath } from './module-files.ts';
export { GO_PROXY, storedModules } from './modules.ts';
export { hostGo } from './toolchain.ts';
export { moduleVersions } from './versions.ts';

/** Programs of Go modules, built for the target architecture from pinned modules. */
export const goModule: SourceRoom<'go-module'> = { resolve: resolveGoModule, materialize: buildGoModule };
