import { readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';

// Every `sextant COMMAND --option` that a page or an example shows is one that there is.

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...['docs', 'docs/decisions', 'examples', 'recipes'].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /\.(md|yaml)$/.test(name))
      .map((name) => `${folder}/${name}`),
  ),
];
const known = commands(new AbortController().signal);

/** What is wrong with the words that follow `sextant`; the first must name a command. */
function unknownWords(words: readonly string[]): string[] {
  let level = known;
  let command: Command | undefined;
  const wrong: string[] = [];
  for (const word of words) {
    const next: Command | undefined = level.find((one) => one.name() === word);
    if (next !== undefined) {
      command = next;
      level = [...next.commands];
    } else if (command === undefined) {
      return [word];
    } else if (/^--?[a-z]/.test(word)) {
      const name = word.replace(/=.*/, '');
      const options = command.options.flatMap(({ long, short }) => [long, short]);
      if (!options.includes(name) && name !== '--help') wrong.push(`${command.name()} ${name}`);
    }
  }
  return wrong;
}

/** `sextant ...` as code: in backquotes, in an indented or fenced line, after a prompt or a comment sign. */
function invocations(text: string): string[][] {
  return [...text.matchAll(/(?:^(?: {4}|\$ |# .*?: *)|`|&& )sextant ([a-z][^`\n#]*)/gm)].map(
    ([, words = '']) => words.trim().split(/\s+/),
  );
}

test('the check sees invocations, and what is wrong with them', () => {
  const found = invocations(
    '`sextant verify FILE`\n    sextant build --frozen  # x\n$ sextant lab up --core X\n',
  );
  expect(found).toEqual([
    ['verify', 'FILE'],
    ['build', '--frozen'],
    ['lab', 'up', '--core', 'X'],
  ]);
  expect(found.flatMap(unknownWords)).toEqual([]);
  expect(unknownWords(['activation', '--p2p-token', 'x'])).toEqual(['activation --p2p-token']);
  expect(unknownWords(['bild'])).toEqual(['bild']);
});

describe.each(PAGES)('%s', (page) => {
  test('shows commands and options that there are', () => {
    expect(invocations(readFileSync(page, 'utf8')).flatMap(unknownWords)).toEqual([]);
  });
});
