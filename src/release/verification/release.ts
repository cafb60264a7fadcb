import type { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyImage } from '../../image/index.ts';
import { fingerprint, readCertificate } from '../../image/signature.ts';
import { readLock } from '../../lock/lock.ts';
import type { Lock } from '../../lock/types.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { inStep } from '../../support/progress.ts';
import { checkedSums } from '../checksums.ts';
import { IN_TOTO_PAYLOAD } from '../provenance/statement.ts';
import { checkLock, checkSubjects, parseStatement, type Statement } from '../provenance/verify.ts';
import { readRelease } from '../read.ts';
import { CHECKSUMS_SIGNATURE, verifyChecksumsSignature } from '../signatures/checksums.ts';
import { openEnvelope } from '../signatures/dsse.ts';
import type { Release, ReleasedImage } from '../types.ts';
import { checkBillOfMaterials, imageContents } from './bill-of-materials.ts';

export interface ReleaseVerifyOptions {
  /** Certificates one of which must have signed everything; without any the release's own is used, which proves no origin. */
  readonly certificates?: readonly string[];
  /** Lock file that the release must have been built from. */
  readonly lock?: string;
  readonly requireValidDates?: boolean;
  /** The time that the signer's dates are held against; default now. */
  readonly now?: Date;
}

export interface VerifiedRelease {
  readonly release: Release;
  /** What was found to be as it must be, one sentence each. */
  readonly checks: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Checks all of a release without asking the network: SHA256SUMS and its signature, every byte of every image, what signed them, the
 * provenance against the files (and the lock), both bills of materials against what is in the images. Throws `verification` (or `input`
 * for what cannot even be read) at the first thing that is not as it must be.
 */
export async function verifyRelease(
  folder: string,
  options: ReleaseVerifyOptions,
  context: Context,
): Promise<VerifiedRelease> {
  const release = await readRelease(folder);
  const given = options.certificates ?? [];
  const lock = options.lock === undefined ? undefined : await lockAt(options.lock);
  const trusted = await trustedCertificates(folder, release, given);
  const checks: string[] = [];
  const warnings: string[] = [];
  if (trusted !== undefined) {
    const signer = await verifyChecksumsSignature(folder, trusted);
    checks.push(`SHA256SUMS is signed by ${signerText(signer, given.length > 0)}`);
    warnings.push(...notYetValid(folder, signer, options));
    if (given.length === 0) {
      warnings.push('the certificate came with the release: give --cert to say whose it must be');
    }
  }
  const sums = await inStep(context.progress, 'checksums', () => checkedSums(folder, context.signal));
  checks.push(`${sums.size} files are as SHA256SUMS says`);
  warnings.push(...(await strangers(folder, sums)));

  for (const image of release.images) {
    const path = join(folder, image.file);
    const { warnings: said } = await inStep(context.progress, `image (${image.architecture})`, () =>
      verifyImage(path, {
        rootHash: image.rootHash,
        ...(trusted === undefined ? {} : { certificates: trusted }),
        ...(options.requireValidDates ? { requireValidDates: true } : {}),
        signal: context.signal,
      }),
    );
    warnings.push(...said);
    checks.push(
      `${image.file}: every byte is as it was written${trusted === undefined ? '' : ', and its root hash is signed'}`,
    );
  }
  const statement = await provenanceOf(folder, release, trusted);
  if (statement === undefined) warnings.push('it has no provenance: built by an earlier sextant');
  else {
    const { name, said } = statement;
    checkSubjects(said, subjects(sums, release), name);
    checks.push(`${name} is about these ${said.subject.length} files${trusted ? ', and signed' : ''}`);
    if (lock !== undefined) {
      const inputs = checkLock(said, lock, name, options.lock ?? '');
      checks.push(`it was made from ${options.lock}: all ${inputs} inputs`);
    }
  }
  if (statement === undefined && lock !== undefined) {
    throw new SextantError('verification', `${folder}: has no provenance to hold against ${options.lock}`, {
      hint: 'build the release again with this sextant',
    });
  }
  for (const image of release.images) checks.push(...(await bills(folder, image, context)));
  return { release, checks, warnings };
}

async function lockAt(file: string): Promise<Lock> {
  const lock = await readLock(file);
  if (lock !== undefined) return lock;
  throw new SextantError('input', `${file}: no such file`, {
    hint: 'name the sextant.lock.json of the release',
  });
}

/** What must have signed: what was given, else the release's own certificate, undefined for a release without a signature. */
async function trustedCertificates(
  folder: string,
  release: Release,
  given: readonly string[],
): Promise<readonly X509Certificate[] | undefined> {
  if (given.length > 0) {
    const certificates = await Promise.all(given.map(readCertificate));
    if (release.certificate !== undefined) return certificates;
    throw new SextantError('verification', `${folder}: is not signed, --cert demands it`, {
      hint: 'get the signed release, or leave --cert away to check its bytes alone',
    });
  }
  if (release.certificate === undefined) return undefined;
  return [await readCertificate(join(folder, release.certificate))];
}

function signerText(certificate: X509Certificate, given: boolean): string {
  const whose = given ? '' : "the release's own certificate ";
  return `${whose}${certificate.subject.replaceAll('\n', ', ')} (${fingerprint(certificate)})`;
}

/** A certificate that begins later than now: as a rule it is a clock that is wrong. An expired one is told for each image. */
function notYetValid(
  folder: string,
  { validFrom }: X509Certificate,
  { now = new Date(), requireValidDates }: ReleaseVerifyOptions,
): string[] {
  const from = new Date(validFrom);
  if (from <= now) return [];
  const said = `its certificate is valid from ${from.toISOString()} on, the clock here says ${now.toISOString()}`;
  if (!requireValidDates) return [`${said}: is it right? systemd does not look at the dates`];
  throw new SextantError('verification', `${folder}: ${said}`, {
    hint: 'set the clock of this machine, or leave --require-valid-dates away',
  });
}

/** Files that SHA256SUMS does not cover: nothing vouches for them. */
async function strangers(folder: string, sums: ReadonlyMap<string, string>): Promise<string[]> {
  const own = ['SHA256SUMS', CHECKSUMS_SIGNATURE];
  const names = (await readdir(folder)).filter((name) => !sums.has(name) && !own.includes(name));
  return names.sort().map((name) => `${name} is no part of the release: SHA256SUMS does not list it`);
}

/** The files that a statement is about: all but the statement, which cannot name itself. */
function subjects(sums: ReadonlyMap<string, string>, { provenance }: Release): ReadonlyMap<string, string> {
  return new Map([...sums].filter(([name]) => name !== provenance));
}

async function provenanceOf(
  folder: string,
  { provenance }: Release,
  trusted: readonly X509Certificate[] | undefined,
): Promise<{ readonly name: string; readonly said: Statement } | undefined> {
  if (provenance === undefined) return undefined;
  const name = join(folder, provenance);
  const text = await readFile(name, 'utf8');
  const body =
    trusted === undefined ? text : openEnvelope(text, name, IN_TOTO_PAYLOAD, trusted).toString('utf8');
  return { name, said: parseStatement(body, name) };
}

async function bills(folder: string, image: ReleasedImage, context: Context): Promise<string[]> {
  const files = [image.sbom, image.cyclonedx].filter((file): file is string => file !== undefined);
  if (files.length < 2) return []; // By an earlier sextant, which listed inputs instead of contents.
  return inStep(context.progress, `contents (${image.architecture})`, async () => {
    const contents = await imageContents(join(folder, image.file), context);
    for (const file of files) await checkBillOfMaterials(join(folder, file), image, contents);
    return [
      `${files.join(', ')}: list the ${contents.files.size} files and ${contents.modules.size} Go modules that are in it`,
    ];
  });
}
