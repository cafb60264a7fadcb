import { arm64Merge } from './arm64-merge.ts';
import { deactivation } from './deactivation.ts';
import { faultyServer } from './faulty-server.ts';
import { freshInstall } from './fresh-install.ts';
import { installedCoreNode } from './installed-core-node.ts';
import { lateNetwork } from './late-network.ts';
import { nextBoots } from './next-boots.ts';
import { nextRelease } from './next-release.ts';
import { osUpgrade } from './os-upgrade.ts';
import { peerToPeer } from './p2p.ts';
import { slowMerge } from './slow-merge.ts';
import { standardImage } from './standard-image.ts';
import { strictTrust } from './strict.ts';
import { tamperedFile } from './tampered.ts';
import { serverAndAgent } from './two-nodes.ts';
import type { Scenario } from './types.ts';
import { unprivilegedUser } from './unprivileged.ts';

export type { Scenario } from './types.ts';

/** All scenarios, in the order in which they are best run. */
export const SCENARIOS: readonly Scenario[] = [
  installedCoreNode,
  nextBoots,
  tamperedFile,
  faultyServer,
  unprivilegedUser,
  lateNetwork,
  slowMerge,
  deactivation,
  nextRelease,
  osUpgrade,
  strictTrust,
  serverAndAgent,
  peerToPeer,
  freshInstall,
  standardImage,
  arm64Merge,
];
