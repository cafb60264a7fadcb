/** What is looked for. '' stands for anything. */
export interface Query {
  readonly text: string;
  readonly distribution: string;
  readonly minor: string;
  readonly architecture: string;
  readonly yanked: boolean;
}

/** A release as its row shows it. */
export interface Row {
  /** Everything the row says. */
  readonly text: string;
  readonly distribution: string;
  readonly minor: string;
  readonly architectures: readonly string[];
  readonly yanked: boolean;
}

/** Whether a row is what is looked for: each word of the text stands somewhere in it, and the rest is equal. */
export function fits(row: Row, query: Query): boolean {
  if (row.yanked && !query.yanked) return false;
  if (query.distribution !== '' && query.distribution !== row.distribution) return false;
  if (query.minor !== '' && query.minor !== row.minor) return false;
  if (query.architecture !== '' && !row.architectures.includes(query.architecture)) return false;
  const text = row.text.toLowerCase();
  return query.text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** The query as the address keeps it behind the `#`, so that it can be passed on; '' for the one that hides nothing. */
export function queryHash(query: Query): string {
  const set = new URLSearchParams();
  for (const [name, value] of [
    ['q', query.text.trim()],
    ['distribution', query.distribution],
    ['minor', query.minor],
    ['architecture', query.architecture],
    ['yanked', query.yanked ? '' : 'no'],
  ] as const)
    if (value !== '') set.set(name, value);
  return set.toString();
}

/** The other way. */
export function queryOf(hash: string): Query {
  const set = new URLSearchParams(hash.replace(/^#/, ''));
  const value = (name: string) => set.get(name) ?? '';
  return {
    text: value('q'),
    distribution: value('distribution'),
    minor: value('minor'),
    architecture: value('architecture'),
    yanked: value('yanked') !== 'no',
  };
}
