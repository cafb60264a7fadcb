import type { Command, Invocation } from '../cli/command.ts';
import { requireRoom } from '../download/obtain.ts';
import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { type MaintenanceWindow, maintenanceWindow, windowIsOpen } from '../life/window.ts';
import { openSession, requireRoot, type Session } from '../session.ts';
import { capital, wrap } from './text.ts';
import { chooseListed } from './upgrade-catalog.ts';
import { fetchAndVerify } from './upgrade-fetch.ts';
import { armTimer, disarmTimer, timerIsArmed } from './upgrade-later.ts';
import { planUpgrade, replaced, type UpgradePlan } from './upgrade-plan.ts';
import { type How, planText } from './upgrade-text.ts';
import { beginTrial, checkTrial } from './upgrade-trial.ts';

/** Another Kubernetes, on trial. */
export const upgrade: Command = {
  name: 'upgrade',
  summary: 'put another Kubernetes on trial, and go back when it does not become healthy',
  words: [],
  options: [
    {
      name: 'to',
      value: 'VERSION|MINOR|URL|OCI|PATH',
      summary:
        'which release; default: the newest that the catalog has for this node, else what is at the known address now',
    },
    { name: 'dry-run', summary: 'check everything that can be checked beforehand, and change nothing' },
    { name: 'reboot', summary: 'begin the trial by a restart (the default)' },
    { name: 'live', summary: 'begin the trial at once, without a restart' },
    { name: 'window', summary: "begin the trial in the maintenance window of this node's settings" },
    {
      name: 'at',
      value: 'TIME',
      summary: 'fetch and verify now, begin the trial at a time of systemd.time(7)',
    },
    { name: 'again', summary: 'also when this release was found bad before' },
    { name: 'snapshot', summary: 'take a datastore snapshot also where the minor version stays' },
    {
      name: 'cluster-version',
      value: 'VERSION',
      summary: "the cluster's API server, where it cannot be asked",
    },
  ],
  run(invocation) {
    const { host, options } = invocation;
    requireRoot(host, 'upgrade');
    const how = chosen(invocation);
    const window = options.has('window') ? requiredWindow(host) : undefined;
    const session = openSession(host);
    const [to, cluster] = [options.get('to'), options.get('cluster-version')];
    const again = options.has('again');
    const remember = !options.has('dry-run');
    const listed = chooseListed(session, replaced(session.records), { to, cluster, again, remember });
    if (listed) host.out(listed.text);
    if (listed?.release === null) return 0;
    const plan = planUpgrade(session, {
      to,
      cluster,
      snapshot: options.has('snapshot'),
      ...(listed?.place ? { listed: { release: listed.release, place: listed.place } } : {}),
    });
    checkTrial(session, plan, how, again);
    host.out(planText(plan, how, session.records.settings));
    requireRoom(host, plan.file, plan.snapshot ?? 0);
    if (window) {
      const open = windowIsOpen(host, window)
        ? 'is open: the trial begins once the release is verified'
        : 'is closed';
      host.out(wrap(`The maintenance window ${open} (${window.start}, ${window.minutes} min).`));
    }
    if (options.has('dry-run')) {
      host.out('Nothing was done: --dry-run.\n');
      return 0;
    }
    const at = options.get('at');
    const later = laterArguments(invocation, plan, how, listed !== undefined);
    const time = fetchForLater(session, plan, { at, window }, later);
    if (time === undefined) {
      host.out(wrap(`${capital(beginTrial(host, plan, how, again).why)}.`));
      return 0;
    }
    host.out(
      wrap(`Fetched and verified. The trial begins at ${time}, unless the node restarts before.`) +
        'To take it back: systemctl stop sextant-upgrade.timer\n',
    );
    return 0;
  },
};

/** When the trial may begin: at once where neither is given. */
interface Moment {
  readonly at: string | undefined;
  readonly window: MaintenanceWindow | undefined;
}

/** Fetches and verifies. Returns the time at which a timer will begin the trial, or undefined where it is to begin now. */
function fetchForLater(
  session: Session,
  plan: UpgradePlan,
  { at, window }: Moment,
  later: readonly string[],
): string | undefined {
  const { host } = session;
  const opens = () => (window !== undefined && !windowIsOpen(host, window) ? window.start : undefined);
  const time = at ?? opens();
  // First of all: a time that systemd does not understand is told before anything is fetched.
  if (time !== undefined) armTimer(host, time, later);
  try {
    fetchAndVerify(session, plan);
  } catch (error) {
    if (time !== undefined) disarmTimer(host);
    throw error;
  }
  if (window === undefined) {
    if (at === undefined || timerIsArmed(host)) return at;
    // What the timer ran met this download at work, and ended.
    host.out(wrap(`Fetched and verified; ${at} has come meanwhile, so the trial begins now.`));
    return undefined;
  }
  disarmTimer(host); // it may have opened or closed meanwhile
  const next = opens();
  if (next !== undefined) armTimer(host, next, later);
  return next;
}

function requiredWindow(host: Host): MaintenanceWindow {
  const window = maintenanceWindow(host);
  if (window !== undefined) return window;
  throw new Failure(
    'input',
    'upgrade: --window: the settings of this node name no maintenance window',
    'set one, or name a time: --at "Sat 03:30"; see docs/generations.md',
  );
}

function chosen({ options }: Invocation): How {
  if (options.has('live') && options.has('reboot'))
    throw new Failure(
      'usage',
      'upgrade: --live and --reboot exclude each other',
      'sextant-node upgrade --help',
    );
  if (options.has('at') && options.has('window'))
    throw new Failure(
      'usage',
      'upgrade: --at and --window exclude each other',
      'sextant-node upgrade --help',
    );
  return options.has('live') ? 'live' : 'reboot';
}

/** What a catalog has chosen is asked for by its version, so that the catalog has its say again: it may be yanked meanwhile. */
function laterArguments(
  { options }: Invocation,
  { place, release }: UpgradePlan,
  how: How,
  listed: boolean,
): string[] {
  const cluster = options.get('cluster-version');
  return [
    ...['--to', listed ? release.version : place.release, `--${how}`],
    ...['again', 'snapshot'].filter((name) => options.has(name)).map((name) => `--${name}`),
    ...(cluster === undefined ? [] : ['--cluster-version', cluster]),
  ];
}
