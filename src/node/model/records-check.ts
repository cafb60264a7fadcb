import type { Records } from './types.ts';

type Check = (value: unknown, path: string, problems: string[]) => void;

const is =
  (test: (value: unknown) => boolean, expected: string): Check =>
  (value, path, problems) => {
    if (!test(value)) problems.push(`${path}: ${expected} expected`);
  };
const text = is((value) => typeof value === 'string', 'a string');
const flag = is((value) => typeof value === 'boolean', 'true or false');
const atLeast = (least: number) =>
  is((value) => Number.isSafeInteger(value) && (value as number) >= least, `a whole number from ${least}`);
const natural = atLeast(0);
const digest = is(
  (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
  '64 hexadecimal digits',
);
const fileName = is(
  (value) => typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(value),
  'a file name',
);
const oneOf = (...words: readonly string[]) =>
  is((value) => words.includes(value as string), words.join(' or '));
const orNull =
  (check: Check): Check =>
  (value, path, problems) => {
    if (value !== null) check(value, path, problems);
  };
const list =
  (check: Check): Check =>
  (value, path, problems) => {
    if (!Array.isArray(value)) problems.push(`${path}: a list expected`);
    else for (const [index, item] of value.entries()) check(item, `${path}[${index}]`, problems);
  };
const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value, path, problems) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      problems.push(`${path || 'records'}: an object expected`);
      return;
    }
    for (const [name, check] of Object.entries(fields)) {
      check((value as Record<string, unknown>)[name], path ? `${path}.${name}` : name, problems);
    }
  };

const slot = oneOf('active', 'passive');
const FIELDS: Readonly<Record<string, Check>> = {
  counter: natural,
  wanted: orNull(natural),
  generations: list(
    object({
      id: atLeast(1),
      os: text,
      osName: text,
      files: list(object({ name: fileName, sha256: digest, rootHash: digest, size: natural })),
      kubernetes: text,
      state: oneOf('new', 'trying', 'good', 'bad', 'superseded'),
      tries: natural,
      turn: natural,
      slot,
      why: text,
      configuration: orNull(text),
      snapshot: orNull(fileName),
      created: text,
      changed: text,
      health: list(
        object({ at: text, result: oneOf('good', 'bad', 'silent', 'server-away', 'foreign'), detail: text }),
      ),
    }),
  ),
  pins: list(natural),
  boot: orNull(
    object({
      id: text,
      slot,
      os: text,
      generation: orNull(natural),
      counted: flag,
      outcome: oneOf('open', 'good', 'bad', 'given-back'),
    }),
  ),
  datastore: object({
    kind: oneOf('single', 'several', 'external', 'agent', 'none'),
    version: text,
    trial: orNull(object({ generation: natural, version: text, snapshot: orNull(fileName) })),
    restore: orNull(fileName),
  }),
  settings: object({ tries: atLeast(1), patienceSeconds: atLeast(1), settleSeconds: atLeast(0) }),
  retired: flag,
  log: list(object({ at: text, text })),
};

/** What is wrong with the parsed `records` member of a record file, one line each with its path; empty when it is one of format 1. */
export function recordProblems(value: unknown): string[] {
  const problems: string[] = [];
  object(FIELDS)(value, '', problems);
  if (problems.length === 0) referenceProblems(value as Records, problems);
  return problems;
}

/** Each pair once, each id once, and no name of a generation that is not there. */
function referenceProblems(records: Records, problems: string[]): void {
  const ids = new Set<number>();
  const pairs = new Set<string>();
  for (const { id, os, files, turn } of records.generations) {
    const pair = [os, ...files.map(({ sha256 }) => sha256).sort()].join(' ');
    if (ids.has(id)) problems.push(`generations: ${id} is there twice`);
    if (pairs.has(pair)) problems.push(`generations: the pair of ${id} is there twice`);
    if (Math.max(id, turn) > records.counter) problems.push(`counter: less than generation ${id} needs`);
    if (files.length === 0) problems.push(`generations: ${id} has no files`);
    ids.add(id);
    pairs.add(pair);
  }
  if (records.wanted !== null && !ids.has(records.wanted))
    problems.push(`wanted: no generation ${records.wanted}`);
}

/** Splits what this version knows from what a newer one added. */
export function knownFields(value: Record<string, unknown>): Records {
  const entries = Object.entries(value);
  const known = Object.fromEntries(entries.filter(([name]) => name in FIELDS));
  const extra = Object.fromEntries(entries.filter(([name]) => !(name in FIELDS)));
  return { ...known, format: 1, extra } as unknown as Records;
}
