import { lockText } from '../../lock/lock.ts';
import type { Lock, LockedBlob } from '../../lock/types.ts';
import type { Architecture } from '../../support/architecture.ts';
import { sha256 } from '../../support/files.ts';
import { PINS } from '../node-program/pins.ts';
import type { Release } from '../types.ts';

/** https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, and the predicate of https://slsa.dev/spec/v1.0/provenance */
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
export const PREDICATE_TYPE = 'https://slsa.dev/provenance/v1';
/** Type of the body in a signed envelope. */
export const IN_TOTO_PAYLOAD = 'application/vnd.in-toto+json';
/** What a build of ours is: docs/trust.md. */
export const BUILD_TYPE = 'https://sextant.invalid/build/v1';

/** File of the release: the statement itself, or the envelope that holds it signed. */
export const PROVENANCE = { unsigned: 'provenance.intoto.json', signed: 'provenance.intoto.jsonl' } as const;

/** `use` of the inputs that a lock does not pin. */
export const OWN_USES = ['sextant-node', 'compiler of sextant-node'] as const;

interface ResourceDescriptor {
  readonly name?: string;
  readonly uri?: string;
  readonly digest: { readonly sha256: string };
  /** What it is for: "component edgevpn", "hook", "tool mkfs.erofs"; what its digest was held against when locking. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ProvenanceRequest {
  readonly release: Release;
  readonly lock: Lock;
  /** Architecture of the machine that builds: its tools are the ones that were used. */
  readonly host: Architecture;
  /** SHA-256 by name of every file that the statement is about. */
  readonly files: Readonly<Record<string, string>>;
  /** Seconds since 1970, from SOURCE_DATE_EPOCH; no time is written without it. */
  readonly sourceDate?: number;
}

/**
 * What a release was made from and with: an in-toto statement with SLSA v1 provenance about every file of it. Nothing in it comes from the
 * clock or the machine's name, so the same lock gives the same text on every machine of one architecture.
 */
export function provenanceText(request: ProvenanceRequest): string {
  const { release, lock, host, sourceDate } = request;
  const { inputs, images } = release;
  const architectures = images.map(({ architecture }) => architecture);
  const finished = sourceDate === undefined ? undefined : new Date(sourceDate * 1000).toISOString();
  const statement = {
    _type: STATEMENT_TYPE,
    subject: Object.entries(request.files)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, digest]) => ({ name, digest: { sha256: digest } })),
    predicateType: PREDICATE_TYPE,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: {
          recipe: { name: release.name, digest: { sha256: inputs.recipe } },
          distribution: release.distribution,
          version: release.version,
          architectures,
        },
        internalParameters: { host, standin: release.standin },
        resolvedDependencies: [
          { name: 'sextant.lock.json', digest: { sha256: inputs.lock } },
          ...lockedDependencies(lock, architectures, host),
          ...ownDependencies(architectures, host),
        ],
      },
      runDetails: {
        builder: {
          id: `https://sextant.invalid/sextant@${inputs.sextant}`,
          version: {
            sextant: inputs.sextant,
            'erofs-utils': inputs.erofs,
            ...(inputs.go === undefined ? {} : { go: inputs.go }),
            ...(inputs.quickjs === undefined ? {} : { quickjs: inputs.quickjs }),
          },
        },
        metadata: { invocationId: inputs.build, ...(finished === undefined ? {} : { finishedOn: finished }) },
      },
    },
  };
  return `${JSON.stringify(statement, null, 1)}\n`;
}

/** Every file that a lock brings into a build, once, in its order: components, what the hook downloads, tools. */
export function lockedDependencies(
  lock: Lock,
  architectures: readonly Architecture[],
  host: Architecture,
): ResourceDescriptor[] {
  const uses: [string, readonly LockedBlob[] | undefined][] = [];
  for (const architecture of architectures) {
    const locked = lock.architectures[architecture];
    for (const { name, inputs } of locked?.components ?? []) uses.push([`component ${name}`, inputs]);
    uses.push(['build hook', locked?.hookDownloads]);
    if (architecture !== host) uses.push(['tool qemu-user', lock.tools.qemu[host]?.inputs]);
  }
  uses.push(['tool mkfs.erofs', lock.tools.erofs[host]?.inputs]);
  uses.push(['sandbox of the build hook', lock.tools.hookRoot[host]?.inputs]);
  return described(uses);
}

/** What sextant-node is made from and with: pinned by the program, not by a lock. */
function ownDependencies(architectures: readonly Architecture[], host: Architecture): ResourceDescriptor[] {
  return described([
    [OWN_USES[0], [PINS.quickjs.source]],
    ...architectures.map((architecture) => [OWN_USES[0], PINS.target[architecture].inputs] as const),
    [OWN_USES[1], PINS.compiler[host].inputs],
  ]);
}

function described(
  uses: readonly (readonly [use: string, blobs: readonly LockedBlob[] | undefined])[],
): ResourceDescriptor[] {
  const found = new Map<string, ResourceDescriptor>();
  for (const [use, blobs = []] of uses) {
    for (const { url, sha256: digest, checkedAgainst } of blobs) {
      const key = `${url} ${digest}`;
      if (found.has(key)) continue;
      found.set(key, {
        uri: url,
        digest: { sha256: digest },
        annotations: { use, ...(checkedAgainst === undefined ? {} : { checkedAgainst }) },
      });
    }
  }
  return [...found.values()];
}

/** SHA-256 of a lock, as release.json and the statement name it. */
export function lockDigest(lock: Lock): string {
  return sha256(lockText(lock));
}
