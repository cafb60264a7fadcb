import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';

export interface Option {
  /** Without the dashes. */
  readonly name: string;
  /** What its value is, in capitals; undefined for a switch. */
  readonly value?: string;
  readonly summary: string;
}

/** What a command is given: its words and options, already checked against its declaration. */
export interface Invocation {
  readonly host: Host;
  readonly words: readonly string[];
  /** Values of options; a switch that was given is ''. */
  readonly options: ReadonlyMap<string, string>;
}

/** One command: its declaration is its help. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Names of the words it takes, in order; `[NAME]` may be left out. */
  readonly words: readonly string[];
  readonly options: readonly Option[];
  /** Returns the exit code; throws a `Failure` for what a person has to know. */
  run(invocation: Invocation): number;
}

export const JSON_OPTION: Option = { name: 'json', summary: 'the same facts for machines' };

/** Sorts a command's arguments into words and options. Throws `usage` for what it does not know. `--` ends the options. */
export function parseArguments(
  command: Command,
  args: readonly string[],
): Pick<Invocation, 'words' | 'options'> {
  const words: string[] = [];
  const options = new Map<string, string>();
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      words.push(...rest.splice(0));
    } else if (word.startsWith('-') && word !== '-') {
      const [, name = '', given] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
      const option = command.options.find((candidate) => candidate.name === name);
      if (option === undefined) throw usage(command, `unknown option ${word}`);
      if (options.has(name)) throw usage(command, `--${name} is given twice`);
      if (option.value === undefined) {
        if (given !== undefined) throw usage(command, `--${name} takes no value`);
        options.set(name, '');
        continue;
      }
      const value = given ?? rest.shift();
      if (value === undefined) throw usage(command, `--${name} needs a value: ${option.value}`);
      options.set(name, value);
    } else {
      words.push(word);
    }
  }
  const needed = command.words.filter((name) => !name.startsWith('['));
  if (words.length < needed.length) throw usage(command, `${needed[words.length]} is missing`);
  if (words.length > command.words.length) {
    throw usage(command, `"${words[command.words.length]}" is one word too many`);
  }
  return { words, options };
}

function usage(command: Command, what: string): Failure {
  return new Failure('usage', `${command.name}: ${what}`, `sextant-node ${command.name} --help`);
}
