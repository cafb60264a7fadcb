import { randomInt } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readRelease } from '../release/read.ts';
import type { Release } from '../release/types.ts';
import type { Context } from '../support/context.ts';
import { claim } from './claim.ts';
import type { Accelerator } from './machine/accelerator.ts';
import { type Emulator, findEmulator } from './machine/emulator.ts';
import type { ReleaseServer } from './release-server.ts';

/** What all scenarios of one run share. */
export interface Lab {
  readonly context: Context;
  /** Where disks and logs go. */
  readonly folder: string;
  /** Raw disk of an installed core node. */
  readonly base: string;
  readonly accelerator: Accelerator;
  readonly emulator: Emulator;
  readonly releaseFolder: string;
  readonly release: Release;
  /** The recipe it was built from, for scenarios that need another release. */
  readonly recipe: string;
  /** A node that came to Ready by its first boot, saved with its memory; made when first asked for. */
  ready?: Promise<ReadyNode>;
  /** The same node's disk after a shutdown. */
  readyOff?: Promise<ReadyNode>;
  /** The same node, taken over by sextant-node and good, saved with its memory. */
  adopted?: Promise<ReadyNode>;
  /** Folder of the node with which the making of one of these failed: the one to look at, for every scenario that wanted it. */
  failedPreparation?: string;
  /** Power cuts of the scenario that does them, and the seed from which their moments are drawn. */
  readonly cuts: number;
  readonly seed: number;
  /** Lets another run have the folder. */
  readonly endClaim: () => Promise<void>;
}

export interface ReadyNode {
  readonly disk: string;
  readonly server: ReleaseServer;
}

/** Throws `usage` while another run works in the same folder. */
export async function openLab(
  context: Context,
  facts: Pick<Lab, 'folder' | 'base' | 'accelerator' | 'releaseFolder' | 'recipe'> &
    Partial<Pick<Lab, 'cuts' | 'seed'>>,
): Promise<Lab> {
  const emulator = await findEmulator('amd64', facts.accelerator, context);
  const release = await readRelease(facts.releaseFolder);
  const seed = facts.seed ?? randomInt(2 ** 31);
  const endClaim = await claim(`${facts.folder}.running`, `${facts.folder}: another run works there`);
  return { cuts: 1, ...facts, seed, context, emulator, release, endClaim };
}

/** Ends what the run's shared node left. */
export async function closeLab(lab: Lab): Promise<void> {
  const ready = await lab.ready?.catch(() => undefined);
  await ready?.server.close();
  for (const name of ['ready', 'ready-off', 'adopted'])
    await rm(join(lab.folder, `${name}.qcow2`), { force: true });
  await rm(join(lab.folder, 'variants'), { recursive: true, force: true });
  await lab.endClaim();
}
