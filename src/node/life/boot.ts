import { act } from '../effects/actions.ts';
import { type Actor, execute } from '../effects/execute.ts';
import { publish } from '../events/publish.ts';
import { toFailure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { generation } from '../model/change.ts';
import { decideBoot } from '../model/decide-boot.ts';
import type { Decision, Effect } from '../model/effects.ts';
import type { Observation } from '../model/observation.ts';
import { storeFile } from '../model/paths.ts';
import type { Records } from '../model/types.ts';
import { observe } from '../observe/observe.ts';
import { bootedSlot, bootId } from '../observe/slot.ts';
import { exclusively, readRecords } from '../records-file.ts';
import { pinAsLinked } from './as-linked.ts';
import { writeBootReport } from './boot-report.ts';
import { damageOf } from './damage.ts';
import { attempt, say } from './say.ts';
import { type LifeSettings, readSettings, trialSettings } from './settings.ts';
import { writeUnits } from './units.ts';

/** The most that a look for wrong bytes may take before the first try of a pair. */
const DIGEST_SECONDS = 120;

/**
 * Decides what this boot runs and links it, in the initramfs stage, before the merge. Never fails the boot: whatever goes wrong ends in
 * what immucore linked, held to its root hash where that is known, and in one line that says so.
 */
export function boot(host: Host): void {
  try {
    const slot = bootedSlot(host);
    if (slot !== 'active' && slot !== 'passive') return;
    exclusively(host, 10, () => decideAndLink(host));
  } catch (error) {
    asLinked(host, toFailure(error).message);
  }
}

function decideAndLink(host: Host): void {
  const { records, problem, note } = readRecords(host);
  if (note) say(host, `WARNING: ${note}`);
  if (!records) {
    if (problem?.code !== 'missing') asLinked(host, problem?.message ?? 'no records');
    return;
  }
  // Counted once for each boot, whoever runs this again.
  if (records.boot?.id === bootId(host)) {
    say(host, 'this boot is decided already');
    return;
  }
  const { settings, problems } = readSettings(host);
  for (const wrong of problems) say(host, `WARNING: ${wrong}; the default is used`);
  const began = host.uptime();
  const done = carryThrough(host, settings);
  say(host, done.decision.why);
  const restored = snapshotPutBack(done.decision);
  if (restored !== undefined)
    say(host, `the datastore snapshot ${restored} was put back; what was written since it was taken is lost`);
  publish(host, records, done.decision.records, false, restored);
  if (done.decision.records.retired) return;
  const onTrial = done.decision.records.boot?.counted === true;
  writeUnits(host, settings, onTrial);
  writeBootReport(host, done.decision, done.problem, host.uptime() - began);
}

function snapshotPutBack({ effects }: Decision): string | undefined {
  for (const effect of effects)
    if (effect.do === 'run' && effect.action.name === 'restore-snapshot') return effect.action.snapshot;
  return undefined;
}

interface Done {
  readonly decision: Decision;
  /** What could not be done as decided first, or null. */
  readonly problem: string | null;
}

/** What is known to fail on this boot, so that the next decision does without it. */
interface Limits {
  readonly writable: boolean;
  readonly otherSlot: boolean;
  /** Digests of files that are damaged. */
  readonly damaged: readonly string[];
}

/** Decides and executes; what fails is decided again without it, from the records as they are on the disk by then. */
function carryThrough(host: Host, settings: LifeSettings): Done {
  let limits: Limits = { writable: true, otherSlot: true, damaged: [] };
  let problem: string | null = null;
  for (;;) {
    const { before, observation } = look(host, settings, limits);
    const decision = decideBoot(before, observation);
    const damaged = damagedFiles(host, before, decision);
    if (damaged.length > 0) {
      limits = { ...limits, damaged: [...limits.damaged, ...damaged] };
      continue;
    }
    const { failed } = execute(host, decision.effects, actorOf(host));
    if (!failed) return { decision, problem };
    problem = failed.failure.message;
    say(host, `WARNING: ${problem}`);
    const next = after(failed.effect, limits);
    if (!next) throw failed.failure;
    limits = next;
  }
}

/** Undefined when there is nothing left to do without. */
function after(failed: Effect, limits: Limits): Limits | undefined {
  if (failed.do === 'run' && failed.action.name === 'boot-other-slot' && limits.otherSlot)
    return { ...limits, otherSlot: false };
  return limits.writable ? { ...limits, writable: false } : undefined;
}

function look(
  host: Host,
  settings: LifeSettings,
  { writable, otherSlot, damaged }: Limits,
): { readonly before: Records; readonly observation: Observation } {
  const { records, problem, recordFile } = readRecords(host);
  if (!records) throw new Error(problem?.message ?? 'the records are gone');
  const seen = observe(host, { records, recordFile, writable });
  const observation: Observation = {
    ...seen,
    other: otherSlot ? seen.other : null,
    whole: seen.whole.filter((sha256) => !damaged.includes(sha256)),
  };
  const before: Records = {
    ...records,
    settings: trialSettings(settings),
    datastore: { ...records.datastore, kind: observation.datastore },
  };
  return { before, observation };
}

/** Digests of the files of a pair that starts for the first time and whose bytes are wrong; every other boot trusts their size. */
function damagedFiles(host: Host, before: Records, { runs }: Decision): string[] {
  const pair = generation(before, runs);
  if (pair?.state !== 'new') return [];
  return pair.files
    .filter((file) => {
      const found = damageOf(host, file, DIGEST_SECONDS);
      if (found !== undefined)
        say(host, `DAMAGED: ${storeFile(file)} has the SHA-256 ${found}; it is not used`);
      return found !== undefined;
    })
    .map(({ sha256 }) => sha256);
}

/** GRUB's own assessment is not worth a boot without Kubernetes. */
function actorOf(host: Host): Actor {
  return (_, action) => {
    try {
      act(host, action);
    } catch (error) {
      if (action.name !== 'clear-boot-assessment') throw error;
      say(host, `WARNING: GRUB's boot assessment could not be ended: ${toFailure(error).message}`);
    }
  };
}

function asLinked(host: Host, reason: string): void {
  say(host, `ERROR: ${reason}; this boot runs what the slot's folder links`);
  attempt(host, () => pinAsLinked(host));
}
