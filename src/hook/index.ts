export { checksumDefaults } from './distributions.ts';
export { runHook } from './run-hook.ts';
export type { Answer, HookPayload, HookRequest, HookResult } from './types.ts';
export { checkVersion } from './version.ts';
