import { z } from 'zod';
import type { Lock } from '../../lock/types.ts';
import { ARCHITECTURES } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import {
  BUILD_TYPE,
  lockDigest,
  lockedDependencies,
  OWN_USES,
  PREDICATE_TYPE,
  STATEMENT_TYPE,
} from './statement.ts';

const digest = z.looseObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) });
const statementSchema = z.looseObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.array(z.looseObject({ name: z.string(), digest })).min(1),
  predicateType: z.literal(PREDICATE_TYPE),
  predicate: z.looseObject({
    buildDefinition: z.looseObject({
      buildType: z.literal(BUILD_TYPE),
      externalParameters: z.looseObject({
        recipe: z.looseObject({ digest }),
        architectures: z.array(z.enum(ARCHITECTURES)).min(1),
      }),
      internalParameters: z.looseObject({ host: z.enum(ARCHITECTURES) }),
      resolvedDependencies: z.array(
        z.looseObject({
          name: z.string().optional(),
          uri: z.string().optional(),
          digest,
          annotations: z.record(z.string(), z.string()).optional(),
        }),
      ),
    }),
  }),
});

export type Statement = z.output<typeof statementSchema>;

const failure = (name: string, why: string) =>
  new SextantError('verification', `${name}: ${why}`, {
    hint: 'do not trust this release; fetch it again from where it was released',
  });

/** The statement in a body. Throws `verification` for what is cut off, or no statement of a build of ours. */
export function parseStatement(body: string, name: string): Statement {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw failure(name, 'is cut off, or not JSON');
  }
  const result = statementSchema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0] ?? { path: [], message: '' };
  throw failure(name, `not provenance of a sextant build (${path.map(String).join('.')}: ${message})`);
}

/** Holds a statement against the files of a release, SHA-256 by name: it must be about each of them, as it is, and no other. */
export function checkSubjects(
  { subject }: Statement,
  files: ReadonlyMap<string, string>,
  name: string,
): void {
  const stated = new Map(subject.map((entry) => [entry.name, entry.digest.sha256]));
  for (const [file, found] of files) {
    const said = stated.get(file);
    if (said === undefined) throw failure(name, `says nothing of ${file}: it is about another release`);
    if (said !== found) throw failure(name, `is about another ${file}: SHA-256 ${said}, not ${found}`);
  }
  const missing = [...stated.keys()].find((file) => !files.has(file));
  if (missing !== undefined) throw failure(name, `is about ${missing}, which the release does not have`);
}

/** Holds a statement against a lock: its digest, and every input that the lock pins for what was built. */
export function checkLock(statement: Statement, lock: Lock, name: string, lockFile: string): number {
  const { buildDefinition } = statement.predicate;
  const { externalParameters, internalParameters, resolvedDependencies: stated } = buildDefinition;
  const expected = lockDigest(lock);
  const said = stated.find((entry) => entry.name === 'sextant.lock.json')?.digest.sha256;
  if (said !== expected) {
    throw failure(name, `was made from another lock: ${said ?? 'none named'}, ${lockFile} is ${expected}`);
  }
  const key = (entry: { uri?: string | undefined; digest: { sha256: string } }) =>
    `${entry.uri} ${entry.digest.sha256}`;
  const own: readonly (string | undefined)[] = OWN_USES;
  const known = new Set(
    stated.filter(({ uri, annotations }) => uri !== undefined && !own.includes(annotations?.use)).map(key),
  );
  const inputs = lockedDependencies(lock, externalParameters.architectures, internalParameters.host);
  for (const input of inputs) {
    if (!known.delete(key(input))) throw failure(name, `leaves out ${input.uri}, which ${lockFile} pins`);
  }
  const [extra] = known;
  if (extra !== undefined) throw failure(name, `names an input that ${lockFile} does not pin: ${extra}`);
  return inputs.length;
}
