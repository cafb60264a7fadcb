import { type Decision, disposition, type Strength } from './disposition.ts';
import { BASE_FOLDERS, EMPTY_BASE_FOLDER_RULE, EMPTY_FOLDERS_MADE_BELOW, FACTORY_FOLDER } from './rules.ts';
import type { Disposition, TreeEntry } from './types.ts';
import { hasControlCharacter, printable, type WalkedNode } from './walk.ts';

/** Something that wants to be on the node: a node of the hook's upper layer or a file of a component. */
export interface Input extends WalkedNode {
  readonly component: string;
  /** Inputs of one group that share an inode are hard links of each other. */
  readonly group: number;
  /** Permissions that the recipe asks for. */
  readonly wantedMode?: number;
}

/** Bytes that lie in a file of the hook or of a component. */
export interface SourceContent {
  readonly source: string;
  /** Permission bits of that file. */
  readonly mode: number;
  /** The same text for hard links of one file in one source. */
  readonly hardLinks: string;
}

/** One path of the tree to be. */
export interface Planned {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link';
  readonly mode: number;
  readonly size: number;
  /** Bytes of a file: where to take them from, or themselves. */
  readonly content: SourceContent | { readonly bytes: Buffer } | undefined;
  readonly target?: string;
  readonly disposition: Exclude<Disposition, 'dropped'>;
  /** Where the hook wrote it, when that is another path. */
  readonly from?: string;
  readonly component: string;
}

export interface Enablement {
  /** Path of the drop-in. */
  readonly path: string;
  readonly from: string;
  readonly by: string;
  readonly unit: string;
  readonly strength: Strength;
  readonly component: string;
}

/** Why a path cannot be carried, and what to do about it. */
export interface Problem {
  readonly path: string;
  readonly component: string;
  readonly reason: string;
  readonly advice?: string;
}

export interface Plan {
  readonly planned: readonly Planned[];
  readonly enablements: readonly Enablement[];
  readonly dropped: readonly TreeEntry[];
  readonly problems: readonly Problem[];
}

/**
 * Gives every input exactly one outcome: planned, an enablement, dropped by a named rule, or a problem. A folder that has entries
 * is spoken for by them. Pure.
 */
export function plan(inputs: readonly Input[], extensionName: string): Plan {
  const planned: Planned[] = [];
  const enablements: Enablement[] = [];
  const dropped: TreeEntry[] = [];
  const problems: Problem[] = [];
  for (const input of inputs) {
    if (input.kind === 'whiteout' || (input.kind === 'folder' && !input.empty)) continue;
    const decision = decide(input, extensionName);
    if (decision.outcome === 'dropped') {
      dropped.push(droppedEntry(input, decision.rule.name));
      continue;
    }
    if (isEmptyBaseFolder(input)) {
      dropped.push(droppedEntry(input, EMPTY_BASE_FOLDER_RULE));
      continue;
    }
    const wrong = nodeProblem(input);
    if (wrong) {
      problems.push({ path: printable(input.path), component: input.component, ...wrong });
    } else if (decision.outcome === 'refused') {
      problems.push({
        path: input.path,
        component: input.component,
        reason: decision.reason,
        advice: decision.advice,
      });
    } else if (decision.outcome === 'enablement') {
      const { path, by, unit, strength } = decision;
      enablements.push({ path, from: input.path, by, unit, strength, component: input.component });
    } else {
      planned.push(toPlanned(input, decision));
    }
  }
  return { planned, enablements, dropped, problems };
}

function decide(input: Input, extensionName: string): Decision {
  const kind = input.kind === 'folder' || input.kind === 'link' ? input.kind : 'file';
  const decision = disposition(input.path, kind, extensionName);
  // An empty folder can be made by tmpfiles.d wherever a node keeps its own files.
  if (
    input.kind === 'folder' &&
    decision.outcome === 'refused' &&
    EMPTY_FOLDERS_MADE_BELOW.some((folder) => input.path.startsWith(`${folder}/`))
  ) {
    const { rule } = decision;
    return { outcome: 'factory', path: FACTORY_FOLDER + input.path, onNode: input.path, rule };
  }
  return decision;
}

function isEmptyBaseFolder(input: Input): boolean {
  if (input.kind !== 'folder') return false;
  return BASE_FOLDERS.has(input.path) || /\.(wants|requires|upholds)$/.test(input.path);
}

/** What is wrong with the thing itself, wherever it lies. */
function nodeProblem(input: Input): { reason: string; advice: string } | undefined {
  if (hasControlCharacter(input.path)) {
    return { reason: 'its name holds a control character', advice: 'rename it' };
  }
  if (input.target !== undefined && hasControlCharacter(input.target)) {
    return { reason: 'the target of the link holds a control character', advice: 'rename it' };
  }
  if (input.kind === 'fifo' || input.kind === 'socket' || input.kind === 'device') {
    const names = { fifo: 'a FIFO', socket: 'a socket', device: 'a device node' };
    return { reason: `${names[input.kind]}`, advice: 'make it at run time, below /run' };
  }
  if (input.kind !== 'file') return undefined;
  const mode = input.wantedMode ?? input.mode;
  if (mode & 0o7000) {
    const bits = [
      mode & 0o4000 ? 'set-uid' : '',
      mode & 0o2000 ? 'set-gid' : '',
      mode & 0o1000 ? 'sticky' : '',
    ].filter((bit) => bit !== '');
    return { reason: `the file is ${bits.join(' and ')}`, advice: 'run it from a unit that has the rights' };
  }
  if (mode & 0o002)
    return { reason: 'anyone may write to the file', advice: 'give it the mode 0644 or 0755' };
  return undefined;
}

/** The mode in the image: a read-only root-owned file is 0755 or 0644; a copy that lands in /etc keeps what the hook gave it. */
function imageMode(input: Input, outcome: Decision['outcome']): number {
  if (input.kind === 'folder') return 0o755;
  if (input.kind === 'link') return 0o777;
  if (input.wantedMode !== undefined) return input.wantedMode;
  if (outcome === 'factory') return input.mode & 0o777;
  return input.mode & 0o111 ? 0o755 : 0o644;
}

function toPlanned(
  input: Input,
  decision: Extract<Decision, { outcome: 'delivered' | 'relocated' | 'factory' }>,
): Planned {
  const kind = input.kind as Planned['kind'];
  return {
    path: decision.path,
    kind,
    mode: imageMode(input, decision.outcome),
    size: input.size,
    content:
      kind === 'file'
        ? { source: input.source, mode: input.mode, hardLinks: `${input.group}:${input.inode}` }
        : undefined,
    ...(input.target === undefined ? {} : { target: input.target }),
    disposition: decision.outcome,
    ...(decision.path === input.path ? {} : { from: input.path }),
    component: input.component,
  };
}

function droppedEntry(input: Input, rule: string): TreeEntry {
  return {
    path: printable(input.path),
    kind: input.kind === 'folder' || input.kind === 'link' ? input.kind : 'file',
    mode: input.mode & 0o777,
    size: input.size,
    ...(input.target === undefined ? {} : { target: printable(input.target) }),
    disposition: 'dropped',
    from: rule,
    component: input.component,
  };
}

/** Problems of the paths of the root that the hook removed: a merge only adds, so a node would still have them. */
export function removedProblems(removed: readonly string[], extensionName: string): Problem[] {
  return removed
    .filter((path) => disposition(path, 'file', extensionName).outcome !== 'dropped')
    .map((path) => ({
      path: printable(path),
      component: 'hook',
      reason: 'the hook removed it from the root, but an extension cannot remove anything from a node',
      advice: 'keep the hook from removing it, or take the package out of hook.rootPackages',
    }));
}
