import type { Command } from './command.ts';

/** The text of `--help`: every command, the exit codes. */
export function helpText(commands: readonly Command[]): string {
  return `sextant-node keeps the pair of operating system and extension that is known to work always bootable.

Usage: sextant-node COMMAND [OPTION...]
       sextant-node --version | --help

Commands:
${table(commands.map(({ name, words, summary }) => [[name, ...words].join(' '), summary]))}

sextant-node COMMAND --help shows the options of a command.

Exit codes:
  0 success   1 defect in sextant-node   2 usage   3 bad input   4 verification failed
  5 program of the node missing or failed   6 network   7 file system
  8 refused, nothing was changed   9 another sextant-node is at work   130 interrupted
`;
}

/** The text of `COMMAND --help`. */
export function commandHelp(command: Command): string {
  const options = [...command.options, { name: 'help', summary: 'this text' }];
  return `${command.summary}

Usage: sextant-node ${[command.name, ...command.words, '[OPTION...]'].join(' ')}

Options:
${table(options.map(({ name, value, summary }: Command['options'][number]) => [`--${name}${value === undefined ? '' : ` ${value}`}`, summary]))}
`;
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}
