import { carryOut } from '../effects/execute.ts';
import { publish } from '../events/publish.ts';
import type { Host } from '../host/host.ts';
import { giveBack } from '../model/verdict.ts';
import { observe } from '../observe/observe.ts';
import { runProgram } from '../programs.ts';
import { exclusively, readRecords } from '../records-file.ts';
import { say } from './say.ts';

/** systemd's own stop waits longer; whoever has the lock is about to be stopped too. */
const LOCK_SECONDS = 20;

/**
 * Gives the try of this boot back when the machine shuts down in an orderly way before there is a verdict. systemd runs it whenever the
 * watch is stopped; while the machine goes on it does nothing.
 */
export function shutdown(host: Host): void {
  const { stdout } = runProgram(host, 'systemctl', ['is-system-running'], { okCodes: [0, 1] });
  if (stdout.trim() !== 'stopping') return;
  exclusively(host, LOCK_SECONDS, () => {
    const { records, recordFile } = readRecords(host);
    if (!records || records.retired) return;
    const observation = observe(host, { records, recordFile });
    const decision = giveBack(records, observation, { reason: 'clean-shutdown' });
    carryOut(host, decision);
    if (decision.effects.length > 0) say(host, decision.why);
    publish(host, records, decision.records, false);
  });
}
