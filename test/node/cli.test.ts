import { describe, expect, test } from 'vitest';
import { type Command, parseArguments } from '../../src/node/cli/command.ts';
import { COMMANDS } from '../../src/node/cli/commands.ts';
import { commandHelp } from '../../src/node/cli/help.ts';
import { runCommandLine } from '../../src/node/cli/run.ts';
import { EXIT_CODES, Failure, type FailureCode } from '../../src/node/failure.ts';
import { HostError } from '../../src/node/host/host.ts';
import { expectGolden } from '../golden.ts';
import { nodeHost } from './host/node-host.ts';

function ran(args: readonly string[], commands?: readonly Command[]) {
  const said = { out: '', err: '' };
  const host = nodeHost({
    args,
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
  });
  return { code: runCommandLine(host, commands), ...said };
}

const command = (run: Command['run'], changes: Partial<Command> = {}): Command => ({
  name: 'try',
  summary: 'a command of this test',
  words: ['FILE', '[OTHER]'],
  options: [
    { name: 'json', summary: 'a switch' },
    { name: 'to', value: 'VERSION', summary: 'a value' },
  ],
  run,
  ...changes,
});

const parsed = (...args: string[]) => {
  const { words, options } = parseArguments(
    command(() => 0),
    args,
  );
  return { words, options: Object.fromEntries(options) };
};

describe('arguments', () => {
  test('words and options in any order, values apart or after an equals sign', () => {
    const expected = { words: ['a', 'b'], options: { json: '', to: 'v1=2' } };
    expect(parsed('a', '--json', '--to', 'v1=2', 'b')).toEqual(expected);
    expect(parsed('--to=v1=2', 'a', 'b', '--json')).toEqual(expected);
  });

  test('two dashes end the options, one dash is a word', () => {
    expect(parsed('--', '--json', '-x').words).toEqual(['--json', '-x']);
    expect(parsed('-').words).toEqual(['-']);
  });

  test.for<[args: string[], message: string]>([
    [[], 'try: FILE is missing'],
    [['a', 'b', 'c'], 'try: "c" is one word too many'],
    [['a', '--yes'], 'try: unknown option --yes'],
    [['a', '-j'], 'try: unknown option -j'],
    [['a', '--to'], 'try: --to needs a value: VERSION'],
    [['a', '--json=1'], 'try: --json takes no value'],
    [['a', '--json', '--json'], 'try: --json is given twice'],
  ])('%j is a usage error', ([args, message]) => {
    const { code, out, err } = ran(['try', ...args], [command(() => 0)]);
    expect({ code, out, err }).toEqual({
      code: 2,
      out: '',
      err: `error: ${message}\nhint: sextant-node try --help\n`,
    });
  });
});

describe('the command line', () => {
  test('--help says what there is', () => {
    const { code, out } = ran(['--help']);
    expect(code).toBe(0);
    expectGolden(out, 'test/node/golden/help.txt.golden');
  });

  test('each command has a help of its own, also with other arguments', () => {
    for (const known of COMMANDS) {
      expect(ran([known.name, '--nonsense', '--help'])).toEqual({
        code: 0,
        out: commandHelp(known),
        err: '',
      });
    }
  });

  test('the help names each exit code there is', () => {
    const { out } = ran(['--help']);
    for (const code of Object.values(EXIT_CODES))
      expect(out).toMatch(new RegExp(`(^|\\s)${code} [a-z]`, 'm'));
  });

  test('--version names the version and the digest of the sources', () => {
    expect(ran(['--version'])).toEqual({
      code: 0,
      out: 'sextant-node 0.0.0 (sources not bundled)\n', // Not from the bundle here; the compiled program is held to it elsewhere.
      err: '',
    });
  });

  test.for([
    [[], 'no command is given'],
    [['upgrad'], 'upgrad: no such command'],
    [['--verbose'], '--verbose: no such command'],
  ] as const)('%j is a usage error', ([args, what]) => {
    expect(ran(args)).toEqual({
      code: 2,
      out: '',
      err: `error: ${what}\nhint: sextant-node --help lists the commands\n`,
    });
  });

  test.for(Object.entries(EXIT_CODES))('a failure of class %s ends with %d', ([failure, expected]) => {
    const failing = command(
      () => {
        throw new Failure(failure as FailureCode, 'what\n  is wrong', 'what to do');
      },
      { words: [] },
    );
    expect(ran(['try'], [failing])).toEqual({
      code: expected,
      out: '',
      err: 'error: what; is wrong\nhint: what to do\n',
    });
  });

  test('a system call that failed is told in words', () => {
    const failing = command(
      () => {
        throw new HostError('ENOSPC', 'write', '/opt/sextant/records/x');
      },
      { words: [] },
    );
    const { code, err } = ran(['try'], [failing]);
    expect(code).toBe(EXIT_CODES.filesystem);
    expect(err).toBe(
      'error: /opt/sextant/records/x: no space left on the disk\nhint: free some space: `sextant-node gc` removes what nothing needs\n',
    );
  });

  test('a defect says where', () => {
    const failing = command(
      () => {
        throw new TypeError('x is not a function');
      },
      { words: [] },
    );
    const { code, err } = ran(['try'], [failing]);
    expect(code).toBe(EXIT_CODES.internal);
    expect(err).toMatch(/^error: x is not a function \(.*cli\.test\.ts.*\)\nhint: this is a defect/);
  });

  test('a reader that goes away is no failure', () => {
    const failing = command(
      () => {
        throw new HostError('EPIPE', 'write', 'standard output');
      },
      { words: [] },
    );
    expect(ran(['try'], [failing])).toEqual({ code: 0, out: '', err: '' });
  });
});
