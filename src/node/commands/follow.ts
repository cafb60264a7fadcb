import type { Command } from '../cli/command.ts';
import { isInRegistry, type ReleasePlace } from '../download/address.ts';
import { architectureOf } from '../download/machine.ts';
import { requireRoom } from '../download/obtain.ts';
import { type NodeRelease, parseRelease } from '../download/release.ts';
import { EXIT_CODES, Failure } from '../failure.ts';
import { makeFolders, replaceRuntimeFile } from '../files.ts';
import type { Host } from '../host/host.ts';
import { clusterVersion } from '../kubernetes/api.ts';
import { distribution } from '../kubernetes/rules.ts';
import { maintenanceWindow, windowIsOpen, windowText } from '../life/window.ts';
import { generation, isOpen } from '../model/change.ts';
import { RUN_FOLDER, storeFile } from '../model/paths.ts';
import * as model from '../model/rollback.ts';
import type { Generation, Records } from '../model/types.ts';
import { title } from '../model/words.ts';
import { exclusively, readRecords } from '../records-file.ts';
import { accepted, carryOutDecision, openSession, requireRoot, type Session } from '../session.ts';
import { followed, rememberFollowed } from './followed.ts';
import { capital, wrap } from './text.ts';
import { fetchAndVerify } from './upgrade-fetch.ts';
import { planUpgrade } from './upgrade-plan.ts';
import { planText } from './upgrade-text.ts';
import { beginTrial, checkTrial } from './upgrade-trial.ts';

const WAITS_FILE = `${RUN_FOLDER}/follow-waits`;

/**
 * What the activation file in /oem names, as a wish: a file that was exchanged puts its release on trial, once. A pair that was good before
 * is gone back to, one that was bad is not tried again. What a person asked of sextant-node later counts more, as the file did not change.
 *
 * The activation's script runs it at every boot, after the merge, with the file's values in its environment: an address may hold a password,
 * and a command line is seen by every process. Exit codes `network`, `verification` and `busy` mean that it is worth another try.
 */
export const follow: Command = {
  name: 'follow',
  summary: 'put what a changed activation file names on trial (run by the activation at every boot)',
  words: [],
  options: [],
  run({ host }) {
    requireRoot(host, 'follow');
    const { records } = readRecords(host);
    if (records === null || records.retired) return 0;
    const wish = wishOf(host);
    const session = openSession(host);
    if (!isNew(session, wish)) return 0;
    try {
      fulfil(session, wish);
      return 0;
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'busy') throw error;
      return waits(host, error.message);
    }
  },
};

function fulfil(session: Session, wish: Wish): void {
  requireRest(session);
  const known = session.records.generations.find(
    (pair) => pair.os === session.observation.os && names(pair, wish.sha256),
  );
  if (known?.state === 'good' || known?.state === 'superseded') {
    requireWindow(session);
    goBack(session.host, known);
  } else tryIt(session, wish);
}

/** What it waits for is said once, not at every look. */
function waits(host: Host, forWhat: string): number {
  if (host.readText(WAITS_FILE)?.trim() !== forWhat) {
    host.out(wrap(`${capital(forWhat)}.`));
    makeFolders(host, RUN_FOLDER);
    replaceRuntimeFile(host, WAITS_FILE, `${forWhat}\n`);
  }
  return EXIT_CODES.busy;
}

interface Wish {
  /** Address of the image, or the place of its release in a registry. */
  readonly url: string;
  readonly sha256: string;
  readonly release: NodeRelease;
}

/** Throws `usage` where the environment does not hold what the activation's script gives. */
function wishOf(host: Host): Wish {
  const given = (name: string) => host.env(`SEXTANT_${name}`) ?? '';
  const [url, sha256, version] = [given('URL'), given('SHA256'), given('VERSION')];
  if (!/^https?:\/\//.test(url) && !isInRegistry(url))
    throw new Failure(
      'usage',
      'follow: no release is named in its environment',
      'the activation runs it; by hand: sextant-node upgrade',
    );
  const image = {
    architecture: architectureOf(host),
    file: 'image',
    size: Number(given('SIZE')),
    sha256,
    rootHash: given('ROOT_HASH'),
  };
  const description = {
    schemaVersion: 1,
    name: given('NAME'),
    version,
    distribution: distribution(version) || 'kubernetes',
    images: [image],
  };
  return { url, sha256, release: parseRelease(JSON.stringify(description), 'the activation file') };
}

function names({ files }: Pick<Generation, 'files'>, sha256: string): boolean {
  return files.some((file) => file.sha256 === sha256);
}

/** False where nothing is to be done: it runs, or was settled before, or nobody can say whether the file has changed. */
function isNew({ host, records }: Session, { sha256 }: Wish): boolean {
  const before = followed(host);
  const runs = running(records);
  if (before === undefined || (runs && names(runs, sha256))) {
    rememberFollowed(host, sha256);
    return false;
  }
  return before !== sha256;
}

function running(records: Records): Generation | undefined {
  return generation(records, records.boot?.generation ?? null);
}

/**
 * Throws where this is not the moment: a fallback that runs, a trial that has no verdict yet, a pair that was good and is still coming up.
 * What never got Ready and has nothing better beside it holds nobody up.
 */
function requireRest({ host, records, observation }: Session): void {
  const runs = running(records);
  if (observation.slot !== 'active')
    throw new Failure(
      'refused',
      `the activation file names another release; this boot is of the ${observation.slot} system, where nothing is tried by itself`,
      'it is tried at the next boot of the active system; here and now: sextant-node upgrade',
    );
  const isGood = runs?.state === 'good' || runs?.state === 'superseded';
  const better = records.generations.some(({ state }) => state === 'good');
  if (runs && isOpen(runs) && better)
    throw new Failure('busy', `${title(runs)} is on trial; the activation file's release is next`);
  if (isGood && clusterVersion(host) === null && host.uptime() < records.settings.patienceSeconds)
    throw new Failure('busy', "the activation file's release is next, once the API server answers");
}

/** Throws where the settings name a maintenance window, it is closed, and what runs is good: its restart can wait. */
function requireWindow({ host, records }: Session): void {
  const window = maintenanceWindow(host);
  if (window === undefined || running(records)?.state !== 'good' || windowIsOpen(host, window)) return;
  throw new Failure('busy', `the activation file's release waits for ${windowText(window)}`);
}

function goBack(host: Host, { id }: Generation): void {
  exclusively(host, 60, () => {
    const session = openSession(host);
    const decision = accepted(
      model.rollback(session.records, session.observation, { to: id, restore: null }),
    );
    host.out(wrap(`${capital(decision.why)}, which the activation file names, by a reboot.`));
    carryOutDecision(session, decision);
  });
}

function tryIt(session: Session, { url, release }: Wish): void {
  const { host, records } = session;
  const place: ReleasePlace = isInRegistry(url)
    ? { kind: 'registry', release: url }
    : { kind: 'address', release: url, image: url };
  const plan = planUpgrade(session, {
    to: undefined,
    cluster: undefined,
    snapshot: false,
    listed: { release, place },
  });
  checkTrial(session, plan, 'reboot', false);
  // Fetched at once, whatever the window says: what waits for it then is one restart. Asked again and again, it is read only once it opens.
  if (host.stat(storeFile(plan.file)) !== undefined) requireWindow(session);
  host.out(planText(plan, 'reboot', records.settings));
  requireRoom(host, plan.file, plan.snapshot ?? 0);
  fetchAndVerify(session, plan);
  requireWindow(session);
  host.out(wrap(`${capital(beginTrial(host, plan, 'reboot', false).why)}.`));
}
