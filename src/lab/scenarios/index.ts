import { faultyServer } from './faulty-server.ts';
import { installedCoreNode } from './installed-core-node.ts';
import { nextBoots } from './next-boots.ts';
import { tamperedFile } from './tampered.ts';
import type { Scenario } from './types.ts';

export type { Scenario } from './types.ts';

/** All scenarios, in the order in which they are best run. */
export const SCENARIOS: readonly Scenario[] = [installedCoreNode, nextBoots, faultyServer, tamperedFile];
