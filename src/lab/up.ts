import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, statfs } from 'node:fs/promises';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ActivationChoices, releaseActivation } from '../release/activation.ts';
import { readRelease } from '../release/read.ts';
import type { Release } from '../release/types.ts';
import type { Context } from '../support/context.ts';
import { SextantError } from '../support/errors.ts';
import { bytesText } from '../support/progress.ts';
import { claim } from './claim.ts';
import { coreFrom } from './core-source.ts';
import { type Accelerator, findAccelerator } from './machine/accelerator.ts';
import type { Files } from './machine/disk.ts';
import { type Emulator, findEmulator } from './machine/emulator.ts';
import { freePorts } from './machine/ports.ts';
import { labAddress, labNetwork, labNetworkConfig } from './network.ts';
import { bootNode, type LabNode, type NodeRequest, prepareDisk } from './node.ts';
import { type ReleaseServer, serveRelease } from './release-server.ts';
import { ACTIVATION_FILE } from './stage.ts';
import { labFolder, listLabs, writeState } from './state.ts';
import { serveControl } from './supervisor.ts';

export interface UpRequest {
  readonly name: string;
  readonly core?: string;
  /** A kept disk to look at, booted as it is. */
  readonly disk?: string;
  readonly releaseFolder: string;
  /** The user's own cloud-config, besides the activation. */
  readonly config?: string;
  readonly nodes: number;
  /** MiB for each node. */
  readonly memory: number;
}

/** QEMU's own memory for a guest, and what the machine should keep, bytes. */
const OVERHEAD = 512 * 1024 ** 2;
const DISK_BYTES = 4 * 1024 ** 3;

/** Refuses what this machine cannot hold, before anything is made. `free`: bytes there are, looked up without. */
export async function checkRoom(
  request: Pick<UpRequest, 'nodes' | 'memory'>,
  folder: string,
  free?: { readonly memory: number; readonly disk: number },
): Promise<void> {
  const memory = free?.memory ?? freemem();
  const needed = request.nodes * (request.memory * 1024 ** 2 + OVERHEAD);
  if (needed > memory) {
    throw new SextantError(
      'input',
      `${request.nodes} node${request.nodes === 1 ? '' : 's'} of ${request.memory} MiB need ${bytesText(needed)} of memory, ${bytesText(memory)} are free`,
      {
        hint: 'give fewer --nodes or less --memory, or end other programs; `sextant lab list` shows labs that are up',
      },
    );
  }
  await mkdir(folder, { recursive: true });
  const { bavail, bsize } = await statfs(folder);
  const disk = free?.disk ?? bavail * bsize;
  if (disk < DISK_BYTES * request.nodes) {
    throw new SextantError(
      'filesystem',
      `${folder}: ${bytesText(disk)} free, a lab needs ${bytesText(DISK_BYTES * request.nodes)}`,
      {
        hint: 'free some space, or point XDG_STATE_HOME at another disk',
      },
    );
  }
}

/** The nodes are amd64. Throws `input` for a release without an extension for them. */
export function checkArchitecture(release: Release, folder: string): void {
  if (release.images.some(({ architecture }) => architecture === 'amd64')) return;
  throw new SextantError('input', `${folder}: has no extension for amd64, which the node is`, {
    hint: 'build with `--arch amd64`, or name another release with --release',
  });
}

/**
 * One lab of this name at a time, from the moment it is asked for; gives what ends the claim once the lab is up or was not to be.
 * Throws `usage` for the second.
 */
export async function claimName(name: string): Promise<() => Promise<void>> {
  if (!/^[a-z0-9][a-z0-9-]{0,30}$/.test(name)) {
    throw new SextantError('usage', `${name}: not a name for a lab`, {
      hint: 'use lower-case letters, digits and dashes',
    });
  }
  const release = await claim(`${labFolder(name)}.starting`, `lab ${name} is being started`);
  if (!(await listLabs()).some((lab) => lab.name === name)) return release;
  await release();
  throw new SextantError('usage', `lab ${name} is already up`, {
    hint: `end it with \`sextant lab down --lab ${name}\`, or give another --name`,
  });
}

/** A running lab. */
export interface RunningLab {
  readonly nodes: readonly LabNode[];
  readonly server: ReleaseServer | undefined;
  readonly extensionName: string;
  /** Ends machines and server and removes the lab's folder. */
  down(): Promise<void>;
  /** Resolves when every machine has ended. */
  readonly ended: Promise<unknown>;
}

/**
 * Starts a lab whose name is claimed: release server, disks, machines, control socket. What was started is ended again when something
 * fails.
 */
export async function startLab(request: UpRequest, context: Context): Promise<RunningLab> {
  const folder = labFolder(request.name);
  await checkRoom(request, folder);
  const accelerator = await findAccelerator(context.signal);
  context.progress.say(
    accelerator.name === 'kvm'
      ? 'guests run under KVM'
      : `guests are emulated, which is slow: ${accelerator.why}`,
  );
  const emulator = await findEmulator('amd64', accelerator, context);
  const started: LabNode[] = [];
  const control = await mkdtemp(join(tmpdir(), 'sextant-'));
  let server: ReleaseServer | undefined;
  let closeControl = () => {};
  const down = async () => {
    for (const node of started) await node.stop();
    await server?.close();
    closeControl();
    await rm(control, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const release = await readRelease(request.releaseFolder);
    checkArchitecture(release, request.releaseFolder);
    if (request.disk === undefined) {
      server = await serveRelease({ release: request.releaseFolder });
      const base = await coreFrom(request.core, context);
      const ports = await freePorts(Math.max(0, request.nodes - 1));
      const token = randomBytes(16).toString('hex');
      for (let index = 1; index <= request.nodes; index++) {
        const node = nodeRequest(request, { index, base, folder, accelerator, emulator, ports });
        const oem = await nodeFiles(request, { index, token, url: `${server.guestUrl}/release` });
        const disk = await prepareDisk({ ...node, oem }, context.signal);
        started.push(await bootNode(node, disk, context.signal));
      }
    } else {
      const node = nodeRequest(request, {
        index: 1,
        base: request.disk,
        folder,
        accelerator,
        emulator,
        ports: [],
      });
      await mkdir(node.folder, { recursive: true });
      started.push(await bootNode(node, request.disk, context.signal));
    }
    const path = join(control, 'control');
    closeControl = await serveControl(path, started, async () => {
      for (const node of started) await node.stop();
    });
    await writeState({
      name: request.name,
      pid: process.pid,
      control: path,
      nodes: started.map((node) => ({
        name: node.name,
        folder: node.folder,
        consoleSocket: node.consoleSocket,
      })),
      release: `${release.name} ${release.version}`,
      server: server?.guestUrl ?? '',
    });
    return {
      nodes: started,
      server,
      extensionName: release.name,
      down,
      ended: Promise.all(started.map((node) => node.machine.ended)),
    };
  } catch (error) {
    await down();
    throw error;
  }
}

interface Place {
  readonly index: number;
  readonly base: string;
  readonly folder: string;
  readonly accelerator: Accelerator;
  readonly emulator: Emulator;
  readonly ports: readonly number[];
}

function nodeRequest(
  request: UpRequest,
  { index, base, folder, accelerator, emulator, ports }: Place,
): NodeRequest {
  const name = `node${index}`;
  return {
    name,
    folder: join(folder, name),
    base,
    accelerator,
    emulator,
    memory: request.memory,
    oem: {},
    machine: request.nodes > 1 ? { networks: labNetwork(index, ports) } : {},
  };
}

async function nodeFiles(
  request: UpRequest,
  { index, token, url }: { index: number; token: string; url: string },
): Promise<Files> {
  const release = await readRelease(request.releaseFolder);
  const several = request.nodes > 1;
  const files: Record<string, string> = {
    [ACTIVATION_FILE]: await releaseActivation(release, request.releaseFolder, {
      url,
      ...(several ? { node: clusterNode(index, token) } : {}),
    }),
  };
  if (several) files['80_sextant-lab-network.yaml'] = labNetworkConfig(index, `node${index}`);
  if (request.config !== undefined) files['95_user.yaml'] = await readFile(request.config, 'utf8');
  return files;
}

/** The first node is the server, the others join it over the lab's network. */
export function clusterNode(index: number, token: string): NonNullable<ActivationChoices['node']> {
  const args = [`--node-ip=${labAddress(index)}`];
  if (index === 1) return { k3s: { enabled: true, args, env: { K3S_TOKEN: token } } };
  return {
    k3sAgent: { enabled: true, args, env: { K3S_TOKEN: token, K3S_URL: `https://${labAddress(1)}:6443` } },
  };
}
