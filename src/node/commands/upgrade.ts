import { rememberCatalog } from '../catalog/seen.ts';
import type { Command, Invocation } from '../cli/command.ts';
import { requireRoom } from '../download/obtain.ts';
import { Failure } from '../failure.ts';
import { openSession, requireRoot } from '../session.ts';
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
    const session = openSession(host);
    const [to, cluster] = [options.get('to'), options.get('cluster-version')];
    const again = options.has('again');
    const listed = chooseListed(session, replaced(session.records), { to, cluster, again });
    if (listed) host.out(listed.text);
    if (listed && !options.has('dry-run')) rememberCatalog(host, listed.catalog.address, listed.catalog.seen);
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
    if (options.has('dry-run')) {
      host.out('Nothing was done: --dry-run.\n');
      return 0;
    }
    const time = options.get('at');
    if (time === undefined) {
      fetchAndVerify(session, plan);
      const { why } = beginTrial(host, plan, how, again);
      host.out(wrap(`${capital(why)}.`));
      return 0;
    }
    armTimer(host, time, laterArguments(invocation, plan, how, listed !== undefined));
    try {
      fetchAndVerify(session, plan);
    } catch (error) {
      disarmTimer(host);
      throw error;
    }
    if (!timerIsArmed(host)) {
      // What the timer ran found this download at work, and ended.
      host.out(wrap(`Fetched and verified; ${time} has come meanwhile, so the trial begins now.`));
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

function chosen({ options }: Invocation): How {
  if (options.has('live') && options.has('reboot'))
    throw new Failure(
      'usage',
      'upgrade: --live and --reboot exclude each other',
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
