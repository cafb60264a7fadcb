import { arm64Merge } from './arm64-merge.ts';
import { deactivation } from './deactivation.ts';
import { faultyServer } from './faulty-server.ts';
import { freshInstall } from './fresh-install.ts';
import { fromRegistry } from './from-registry.ts';
import { brokenExtension } from './generations/broken-extension.ts';
import { brokenSystem } from './generations/broken-os.ts';
import { cleanPowerOffs } from './generations/clean-power-offs.ts';
import { corruptedFile } from './generations/corrupted-file.ts';
import { kernelHang, kernelPanic } from './generations/crash-after-merge.ts';
import { diskFull } from './generations/disk-full.ts';
import { exchangedFile } from './generations/exchanged-file.ts';
import { firstGeneration } from './generations/first-generation.ts';
import { foreignExtension } from './generations/foreign-extension.ts';
import { liveExtension } from './generations/live-extension.ts';
import { nextMinor } from './generations/next-minor.ts';
import { nodeCommands } from './generations/node-commands.ts';
import { systemThenExtension } from './generations/os-then-extension.ts';
import { passiveByHand } from './generations/passive-by-hand.ts';
import { plainLinks } from './generations/plain-links.ts';
import { powerCut } from './generations/power-cut.ts';
import { recoveryAndBack, reset } from './generations/recovery.ts';
import { staleAssessment } from './generations/stale-assessment.ts';
import { workingExtension } from './generations/working-extension.ts';
import { installedCoreNode } from './installed-core-node.ts';
import { keyRotation } from './key-rotation.ts';
import { lateNetwork } from './late-network.ts';
import { nextBoots } from './next-boots.ts';
import { nextRelease } from './next-release.ts';
import { ociInstall } from './oci-install.ts';
import { osUpgrade } from './os-upgrade.ts';
import { peerToPeer } from './p2p.ts';
import { slowMerge } from './slow-merge.ts';
import { standardImage } from './standard-image.ts';
import { strictTrust } from './strict.ts';
import { tamperedFile } from './tampered.ts';
import { trustedBoot } from './trusted-boot.ts';
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
  ociInstall,
  fromRegistry,
  strictTrust,
  keyRotation,
  brokenExtension,
  workingExtension,
  liveExtension,
  nextMinor,
  exchangedFile,
  nodeCommands,
  brokenSystem,
  passiveByHand,
  plainLinks,
  corruptedFile,
  kernelPanic,
  kernelHang,
  firstGeneration,
  foreignExtension,
  diskFull,
  cleanPowerOffs,
  systemThenExtension,
  staleAssessment,
  recoveryAndBack,
  reset,
  powerCut,
  serverAndAgent,
  peerToPeer,
  freshInstall,
  standardImage,
  arm64Merge,
  trustedBoot,
];
