import { tellCluster } from '../events/publish.ts';
import { type Look, look, type Memory, newMemory } from '../health/look.ts';
import type { Host } from '../host/host.ts';
import { generation } from '../model/change.ts';
import type { Generation, Records } from '../model/types.ts';
import { title } from '../model/words.ts';
import { bootId } from '../observe/slot.ts';
import { readRecords } from '../records-file.ts';
import { say } from './say.ts';
import { type LifeSettings, readSettings } from './settings.ts';
import { becameGood, failed, type Leaving, tryGiveBack } from './verdicts.ts';
import { beginAnew, beginWatch } from './watch-start.ts';

const POLL_SECONDS = 5;
/** After its patience, a pair that runs for want of a better one may still become good. */
const SLOW_POLL_SECONDS = 30;

/** What the loop carries from one look to the next; all times are uptimes. */
interface Progress extends Leaving {
  /** When patience began to run. */
  since: number;
  healthySince: number | undefined;
  /** The API server has answered. */
  answered: boolean;
  /** The cluster knows what this boot runs. */
  told: boolean;
  /** No server of this agent answered at the last look that failed. */
  away: boolean;
}

/**
 * Watches the pair that this boot runs until there is a verdict, and carries that out. Ends with `good`, with a restart, when the boot says
 * nothing about the pair, or when it is asked to end. A good pair is watched no more: what happens to it later is for the cluster's own
 * monitoring, and restarting a node that was good would help nobody.
 */
export function watch(host: Host): void {
  const { asked } = host.deferTermination();
  const begun = watched(host);
  if (!begun) return;
  const { pair } = begun;
  const { settings } = readSettings(host);
  const memory = newMemory(host);
  const progress: Progress = {
    since: beginWatch(host, pair.id),
    healthySince: undefined,
    answered: false,
    overdue: false,
    told: false,
    away: false,
    failures: 0,
  };
  say(
    host,
    `watching ${title(pair)}: ${settings.settleSeconds} s of health make it good, it has ${settings.patienceSeconds} s`,
  );
  while (!asked()) {
    if (step(host, pair, progress, settings, memory)) return;
    host.sleep(progress.overdue ? SLOW_POLL_SECONDS : POLL_SECONDS);
  }
}

interface Watched {
  readonly records: Records;
  readonly pair: Generation;
  /** Its verdict is recorded, and the node is still on it. */
  readonly bad: boolean;
}

/** What this boot runs, while something is left to do about it; null: nothing is. Undefined when the records cannot be read. */
function watched(host: Host): Watched | null | undefined {
  const { records } = readRecords(host);
  if (!records) return undefined;
  const { boot, retired } = records;
  const pair = generation(records, boot?.generation ?? null);
  if (!pair || retired || boot?.id !== bootId(host)) return null;
  return ['open', 'bad'].includes(boot.outcome) ? { records, pair, bad: boot.outcome === 'bad' } : null;
}

/** One look and what follows from it. True when the watch is over, also because somebody exchanged the pair live or gave it up. */
function step(
  host: Host,
  pair: Generation,
  progress: Progress,
  settings: LifeSettings,
  memory: Memory,
): boolean {
  const now = watched(host);
  if (now === null || (now && now.pair.id !== pair.id)) return true;
  if (now?.bad) return failed(host, pair, { result: 'bad', detail: now.pair.why }, progress);
  const seen = look(host, pair, memory, settings.checkSeconds);
  const answers = seen.state === 'healthy' || (seen.state === 'unhealthy' && seen.answered);
  // The boot that chose the pair had no cluster to tell; it may have gone back to this one.
  if (now && answers && !progress.told) progress.told = tellCluster(host, now.records);
  return react(host, pair, seen, progress, settings);
}

/** True when the watch is over. */
function react(
  host: Host,
  pair: Generation,
  seen: Look,
  progress: Progress,
  settings: LifeSettings,
): boolean {
  const now = host.uptime();
  if (seen.state !== 'healthy') progress.healthySince = undefined;
  switch (seen.state) {
    case 'healthy':
      progress.answered = true;
      progress.healthySince ??= now;
      return now - progress.healthySince >= settings.settleSeconds && becameGood(host, pair, settings);
    case 'server-away':
      if (!progress.away)
        say(host, `${seen.detail}, and neither does any server of this agent: waiting for one`);
      if (!progress.away) tryGiveBack(host, { reason: 'server-away' });
      progress.away = true;
      // Patience begins anew when a server answers again.
      progress.since = beginAnew(host, pair.id);
      return false;
    case 'foreign':
      tryGiveBack(host, { reason: 'foreign', names: seen.names });
      say(
        host,
        `the merge fails because of ${seen.names.join(', ')}, not of ${title(pair)}; disable or mend what is named and reboot`,
      );
      return true;
    case 'refused':
      return failed(host, pair, { result: 'bad', detail: seen.detail }, progress);
    case 'unhealthy': {
      progress.answered ||= seen.answered;
      if (now - progress.since < settings.patienceSeconds) return false;
      return failed(
        host,
        pair,
        { result: progress.answered ? 'bad' : 'silent', detail: seen.detail },
        progress,
      );
    }
  }
}
