import { act } from '../effects/actions.ts';
import { toFailure } from '../failure.ts';
import { recordBaseline } from '../health/system-pods.ts';
import type { Host } from '../host/host.ts';
import type { Decision } from '../model/effects.ts';
import { storeFile } from '../model/paths.ts';
import type { Generation } from '../model/types.ts';
import { type GiveBack, giveBack, type Verdict, verdict } from '../model/verdict.ts';
import { title } from '../model/words.ts';
import { decideAndDo, isRestart } from '../session.ts';
import { damageOf } from './damage.ts';
import { refreshProgram } from './program.ts';
import { attempt, say } from './say.ts';
import type { LifeSettings } from './settings.ts';
import { endTrialWatchdog } from './units.ts';

/** A pair that cannot be left as decided is tried again; after this many times the machine restarts without. */
const LEAVE_ATTEMPTS = 3;

/** What the watch carries from one verdict that could not be carried out to the next. */
export interface Leaving {
  /** The patience is over and was said to be. */
  overdue: boolean;
  /** Times that the pair could not be left: the verdict not recorded, or the restart not made. */
  failures: number;
}

/** True when the pair is good now, and what comes with that has been done. */
export function becameGood(host: Host, pair: Generation, settings: LifeSettings): boolean {
  const decision = recorded(host, pair, {
    result: 'good',
    detail: `healthy for ${settings.settleSeconds} s`,
  });
  if (!decision || decision === 'busy' || decision.records.boot?.outcome !== 'good') return false;
  say(host, `${title(pair)} is good`);
  const after: readonly (() => unknown)[] = [
    () => recordBaseline(host),
    () => refreshProgram(host),
    () => endTrialWatchdog(host),
  ];
  for (const step of after) attempt(host, step);
  return true;
}

type Found = Omit<Verdict, 'generation'>;

/** True when the machine restarts; where nothing better can run the pair keeps its chance, and the watch goes on. */
export function failed(host: Host, pair: Generation, given: Found, progress: Leaving): boolean {
  if (progress.overdue) return false;
  const damaged = pair.files.filter((file) => damageOf(host, file) !== undefined);
  const detail = [given.detail, ...damaged.map((file) => `${storeFile(file)} is damaged`)].join('; ');
  const decision = recorded(host, pair, { ...given, detail });
  if (decision === 'busy') return false;
  if (!decision) {
    progress.failures++;
    if (progress.failures < LEAVE_ATTEMPTS) return false;
    // The next boot decides by what it can read, and without what it cannot write.
    say(host, `${title(pair)}: ${detail}; it cannot be left as decided: restarting`);
    const restart = () => {
      act(host, { name: 'reboot', why: detail });
      return true;
    };
    return attempt(host, restart) ?? false;
  }
  say(host, decision.why);
  const restarts = decision.effects.some(isRestart);
  progress.overdue = !restarts;
  return restarts;
}

/** Undefined when it could not be carried out; `busy` while a command is at work, which is no failure. */
function recorded(host: Host, { id }: Generation, given: Found): Decision | 'busy' | undefined {
  try {
    return decideAndDo(host, ({ records, observation }) =>
      verdict(records, observation, { ...given, generation: id }),
    );
  } catch (error) {
    const { code, message } = toFailure(error);
    say(host, `WARNING: ${message}`);
    return code === 'busy' ? 'busy' : undefined;
  }
}

/** Gives the try of this boot back, once. */
export function tryGiveBack(host: Host, given: GiveBack): void {
  attempt(host, () =>
    decideAndDo(host, ({ records, observation }) => {
      const decision = giveBack(records, observation, given);
      if (decision.effects.length > 0) say(host, decision.why);
      return decision;
    }),
  );
}
