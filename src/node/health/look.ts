import { AGENT_UNITS, activeUnits } from '../effects/kubernetes-units.ts';
import { remerge, startAfterMerge } from '../effects/merge.ts';
import { toFailure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { askApi } from '../kubernetes/api.ts';
import type { Generation } from '../model/types.ts';
import { runProgram } from '../programs.ts';
import { mergeState, refusedImages } from './merge-health.ts';
import { nodeName } from './node-name.ts';
import { type LeaseMemory, nodeProblem } from './node-ready.ts';
import { isServerAway } from './server-away.ts';
import { podProblem } from './system-pods.ts';
import { userCheckProblem } from './user-checks.ts';

/** What one look at Kubernetes finds. */
export type Look =
  | { readonly state: 'healthy' }
  /** `answered`: the API server did, so it is not merely silent. */
  | { readonly state: 'unhealthy'; readonly detail: string; readonly answered: boolean }
  /** An agent whose servers do not answer: it may be as healthy as it can be. */
  | { readonly state: 'server-away'; readonly detail: string }
  /** Our extension is refused by the merge: more waiting changes nothing. */
  | { readonly state: 'refused'; readonly detail: string }
  /** Extensions of others break the merge. */
  | { readonly state: 'foreign'; readonly names: readonly string[] };

/** What is remembered from one look to the next. */
export interface Memory {
  readonly lease: LeaseMemory;
  /** Merges that were tried again. */
  merges: number;
  /** Uptime before which no merge is tried again. */
  nextMerge: number;
}

/** The boot's own merge, and the activation's attempts where there is one, come first. */
const FIRST_MERGE_SECONDS = 60;
const MERGES = 2;

export function newMemory(host: Host): Memory {
  const lease = { renewTime: undefined, changedAt: undefined };
  return { lease, merges: 0, nextMerge: host.uptime() + FIRST_MERGE_SECONDS };
}

/** Looks once; the cheap questions first, the user's own checks only when all else is well. */
export function look(host: Host, pair: Generation, memory: Memory, checkSeconds: number): Look {
  const merge = mergeState(host, pair.files);
  if (merge !== 'merged') return unmerged(host, memory, merge === 'waiting');
  const units = activeUnits(host);
  if (units.length === 0) return unhealthy('no service of Kubernetes runs', false);
  const isAgent = units.every((unit) => (AGENT_UNITS as readonly string[]).includes(unit));
  if (askApi(host, '/readyz')?.trim() !== 'ok') {
    const detail = 'the API server does not answer';
    if (isAgent && isServerAway(host)) return { state: 'server-away', detail };
    return unhealthy(detail, false);
  }
  const name = nodeName(host);
  const problem =
    (isController(host, units)
      ? undefined
      : (nodeProblem(host, name, memory.lease) ?? podProblem(host, name))) ??
    userCheckProblem(host, pair.id, checkSeconds);
  return problem === undefined ? { state: 'healthy' } : unhealthy(problem, true);
}

function unhealthy(detail: string, answered: boolean): Look {
  return { state: 'unhealthy', detail, answered };
}

/** The merge is tried again a few times, since it may have failed for want of time; then who is to blame is asked. */
function unmerged(host: Host, memory: Memory, waiting: boolean): Look {
  const detail = 'the extension is not merged; see: journalctl -b -u systemd-sysext';
  if (waiting || host.uptime() < memory.nextMerge) return unhealthy(detail, false);
  if (memory.merges < MERGES) {
    memory.merges++;
    try {
      remerge(host);
      startAfterMerge(host);
    } catch (error) {
      host.err(`sextant: ${toFailure(error).message}\n`);
    }
    memory.nextMerge = host.uptime() + FIRST_MERGE_SECONDS;
    return unhealthy(detail, false);
  }
  const { ours, foreign } = refusedImages(host);
  if (ours.length > 0) return { state: 'refused', detail: `systemd-sysext refuses ${ours.join(', ')}` };
  if (foreign.length > 0) return { state: 'foreign', names: foreign };
  return unhealthy(detail, false);
}

/** A server that runs no kubelet has no node in the cluster. */
function isController(host: Host, units: readonly string[]): boolean {
  const commandLine = (unit: string) =>
    runProgram(host, 'systemctl', ['show', '--value', '--property=ExecStart', unit]).stdout;
  if (units.includes('k0scontroller.service')) {
    return !/--(enable-worker|single)\b/.test(commandLine('k0scontroller.service'));
  }
  return units.includes('k3s.service') && /--disable-agent\b/.test(commandLine('k3s.service'));
}
