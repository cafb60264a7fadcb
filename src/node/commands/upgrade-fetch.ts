import {
  discardImage,
  obtainImage,
  originFile,
  removeStaleParts,
  writeRootHash,
} from '../download/obtain.ts';
import { verifyImage } from '../download/verify.ts';
import { replaceFile } from '../files.ts';
import { storeFile } from '../model/paths.ts';
import { isStrict } from '../observe/policy.ts';
import { withLock } from '../records-file.ts';
import type { Session } from '../session.ts';
import type { UpgradePlan } from './upgrade-plan.ts';

/** The image in the store, with where it came from beside it, verified: until here nothing that runs has changed. */
export function fetchAndVerify(session: Session, plan: UpgradePlan): void {
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
