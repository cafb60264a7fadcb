import { Failure, toFailure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { NODE_PROGRAM } from '../model/paths.ts';
import { runProgram } from '../programs.ts';

const UNIT = 'sextant-upgrade';
export const UPGRADE_TIMER = `${UNIT}.timer`;

/**
 * Arms a timer that runs `upgrade` with these arguments at a time (systemd.time(7), CALENDAR EVENTS). It is of this boot: a restart before
 * that takes it away. An earlier one is replaced.
 */
export function armTimer(host: Host, time: string, args: readonly string[]): void {
  disarmTimer(host);
  try {
    runProgram(host, 'systemd-run', [
      ...['--unit', UNIT, '--collect', '--on-calendar', time, '--timer-property', 'AccuracySec=1s'],
      ...['--description', 'Upgrade of Kubernetes by sextant-node'],
      ...proxySettings(host),
      ...['--', NODE_PROGRAM, 'upgrade', ...args],
    ]);
  } catch (error) {
    const failure = toFailure(error);
    if (!/calendar|parse/i.test(failure.message)) throw failure;
    throw new Failure(
      'usage',
      `upgrade: --at ${time}: not a time that systemd understands`,
      'for example "03:30", "Sat 03:30" or "*-12-05 03:30"; see: systemd-analyze calendar',
    );
  }
}

/** False once its time has come: it is unloaded then. */
export function timerIsArmed(host: Host): boolean {
  return (
    runProgram(host, 'systemctl', ['is-active', UPGRADE_TIMER], { okCodes: [0, 3, 4] }).stdout.trim() ===
    'active'
  );
}

/** Takes the timer back; one that is not there is fine. */
export function disarmTimer(host: Host): void {
  runProgram(host, 'systemctl', ['stop', UPGRADE_TIMER], { okCodes: [0, 5] });
}

function proxySettings(host: Host): string[] {
  return ['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy'].flatMap((name) => {
    const value = host.env(name) ?? host.env(name.toUpperCase());
    return value === undefined ? [] : ['--setenv', `${name}=${value}`];
  });
}
