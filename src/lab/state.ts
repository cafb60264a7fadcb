import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { SextantError } from '../support/errors.ts';
import { writeFileAtomically } from '../support/files.ts';

/** A lab that `sextant lab up` started, as its folder describes it. */
export interface LabState {
  readonly name: string;
  /** Process that holds the machines; the lab ends with it. */
  readonly pid: number;
  /** Socket of that process, for the other commands. */
  readonly control: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly folder: string;
    readonly consoleSocket: string;
  }[];
  readonly release: string;
  readonly server: string;
}

const stateSchema = z.object({
  name: z.string(),
  pid: z.number().int().positive(),
  control: z.string(),
  nodes: z.array(z.object({ name: z.string(), folder: z.string(), consoleSocket: z.string() })),
  release: z.string(),
  server: z.string(),
});

/** `$XDG_STATE_HOME/sextant/lab`: one folder for each lab that is up (XDG Base Directory specification). */
export function labsFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'sextant', 'lab');
}

export function labFolder(name: string): string {
  return join(labsFolder(), name);
}

export async function writeState(state: LabState): Promise<void> {
  await mkdir(labFolder(state.name), { recursive: true });
  await writeFileAtomically(join(labFolder(state.name), 'lab.json'), `${JSON.stringify(state)}\n`, 0o600);
}

/** Whether a process is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The labs that are up. What a lab left that has ended otherwise than by `lab down` is removed. */
export async function listLabs(): Promise<readonly LabState[]> {
  const names = await readdir(labsFolder()).catch(() => [] as string[]);
  const labs: LabState[] = [];
  for (const name of names.sort()) {
    const text = await readFile(join(labFolder(name), 'lab.json'), 'utf8').catch(() => undefined);
    if (text === undefined) continue; // One that is being made.
    const state = stateSchema.safeParse(JSON.parse(text));
    if (state.success && isAlive(state.data.pid)) labs.push(state.data);
    else await rm(labFolder(name), { recursive: true, force: true });
  }
  return labs;
}

/** The lab of this name, or the only one. Throws `usage` when there is none or it is not clear which. */
export async function findLab(name: string | undefined): Promise<LabState> {
  const labs = await listLabs();
  const found =
    name === undefined ? (labs.length === 1 ? labs[0] : undefined) : labs.find((lab) => lab.name === name);
  if (found !== undefined) return found;
  if (labs.length === 0)
    throw new SextantError('usage', 'no lab is up', { hint: 'start one: sextant lab up' });
  throw new SextantError('usage', name === undefined ? 'several labs are up' : `no lab is named ${name}`, {
    hint: `say which with --lab: ${labs.map((lab) => lab.name).join(', ')}`,
  });
}

/** A node of a lab; without a name the only or first one. */
export function findNode(lab: LabState, name: string | undefined): LabState['nodes'][number] {
  const found = name === undefined ? lab.nodes[0] : lab.nodes.find((node) => node.name === name);
  if (found !== undefined) return found;
  throw new SextantError('usage', `lab ${lab.name} has no node ${name}`, {
    hint: `there are: ${lab.nodes.map((node) => node.name).join(', ')}`,
  });
}
