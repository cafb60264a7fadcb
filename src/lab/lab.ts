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
  facts: Pick<Lab, 'folder' | 'base' | 'accelerator' | 'releaseFolder' | 'recipe'>,
): Promise<Lab> {
  const emulator = await findEmulator('amd64', facts.accelerator, context);
  const release = await readRelease(facts.releaseFolder);
  const endClaim = await claim(`${facts.folder}.running`, `${facts.folder}: another run works there`);
  return { context, ...facts, emulator, release, endClaim };
}

/** Ends what the run's shared node left. */
export async function closeLab(lab: Lab): Promise<void> {
  const ready = await lab.ready?.catch(() => undefined);
  await ready?.server.close();
  await rm(join(lab.folder, 'ready.qcow2'), { force: true });
  await rm(join(lab.folder, 'ready-off.qcow2'), { force: true });
  await rm(join(lab.folder, 'variants'), { recursive: true, force: true });
  await lab.endClaim();
}
