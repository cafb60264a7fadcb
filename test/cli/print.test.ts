import { expect, test } from 'vitest';
import { table } from '../../src/cli/print.ts';

test('columns are aligned, without spaces at the end of a line', () => {
  expect(
    table(
      [
        ['a', '1', 'x'],
        ['long', '22', ''],
      ],
      [1],
    ),
  ).toBe('a      1  x\nlong  22');
});

test('a name cannot steer the terminal', () => {
  expect(table([['a\u001b[2Jb\nc']])).toBe('a\\u{1b}[2Jb\\u{a}c');
});
