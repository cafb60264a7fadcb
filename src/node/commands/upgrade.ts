import type { Command, Invocation } from '../cli/command.ts';
import {
  discardImage,
  obtainImage,
  originFile,
  removeStaleParts,
  requireRoom,
  writeRootHash,
} from '../download/obtain.ts';
import { verifyImage } from '../download/verify.ts';
import { Failure } from '../failure.ts';
import { replaceFile } from '../files.ts';
import { storeFile } from '../model/paths.ts';
import { isStrict } from '../observe/policy.ts';
import { withLock } from '../records-file.ts';
import { openSession, requireRoot, type Session } from '../session.ts';
import { capital, wrap } from './text.ts';
import { armTimer, disarmTimer } from './upgrade-later.ts';
import { planUpgrade, type UpgradePlan } from './upgrade-plan.ts';
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
      value: 'VERSION|URL|OCI|PATH',
      summary: 'which release; default: what is at the known address now',
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
    const plan = planUpgrade(session, {
      to: options.get('to'),
      cluster: options.get('cluster-version'),
      snapshot: options.has('snapshot'),
    });
    checkTrial(session, plan, how, options.has('again'));
    host.out(planText(plan, how, session.records.settings));
    requireRoom(host, plan.file, plan.snapshot ?? 0);
    if (options.has('dry-run')) {
      host.out('Nothing was done: --dry-run.\n');
      return 0;
    }
    const time = options.get('at');
    if (time === undefined) {
      fetchAndVerify(session, plan);
      const { why } = beginTrial(host, plan, how, options.has('again'));
      host.out(wrap(`${capital(why)}.`));
      return 0;
    }
    armTimer(host, time, laterArguments(invocation, plan, how));
    try {
      fetchAndVerify(session, plan);
    } catch (error) {
      disarmTimer(host);
      throw error;
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

/** The image in the store, with where it came from beside it, verified: until here nothing that runs has changed. */
function fetchAndVerify(session: Session, plan: UpgradePlan): void {
  // Two that write to one unfinished file would spoil it. The records are not held meanwhile: a download may take hours.
  const lock = { name: 'download.lock', waitSeconds: 0, busy: 'fetching a release' };
  withLock(session.host, lock, () => fetchLocked(session, plan));
}

function fetchLocked({ host, records }: Session, plan: UpgradePlan): void {
  const say = (text: string) => host.err(`${text}\n`);
  const isRecorded = records.generations.some(({ files }) =>
    files.some(({ sha256 }) => sha256 === plan.file.sha256),
  );
  removeStaleParts(host, plan.file.sha256);
  obtainImage(host, plan.file, plan.source, say);
  say('verifying every block against the root hash');
  try {
    verifyImage(host, storeFile(plan.file), plan.file.rootHash, isStrict(host));
  } catch (error) {
    if (!isRecorded) discardImage(host, plan.file);
    throw error;
  }
  writeRootHash(host, plan.file);
  if (plan.source.kind !== 'file') {
    const origin = plan.source.kind === 'registry' ? plan.place.release : plan.source.place;
    replaceFile(host, originFile(plan.file), `${origin}\n`, 0o600);
  }
}

function laterArguments({ options }: Invocation, plan: UpgradePlan, how: How): string[] {
  const cluster = options.get('cluster-version');
  return [
    ...['--to', plan.place.release, `--${how}`],
    ...['again', 'snapshot'].filter((name) => options.has(name)).map((name) => `--${name}`),
    ...(cluster === undefined ? [] : ['--cluster-version', cluster]),
  ];
}
