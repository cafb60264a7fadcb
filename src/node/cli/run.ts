import { EXIT_CODES, Failure, toFailure } from '../failure.ts';
import { type Host, HostError } from '../host/host.ts';
import { SOURCE_DIGEST, VERSION } from '../version.ts';
import { type Command, parseArguments } from './command.ts';
import { COMMANDS } from './commands.ts';
import { commandHelp, helpText } from './help.ts';

/** Runs what the arguments ask for and returns the exit code; a failure is one line on standard error, and one for what to do. */
export function runCommandLine(host: Host, commands: readonly Command[] = COMMANDS): number {
  try {
    return dispatch(host, commands);
  } catch (thrown) {
    if (thrown instanceof HostError && thrown.errno === 'EPIPE') return 0; // `sextant-node status | head`
    const { code, message, hint } = toFailure(thrown);
    host.err(`error: ${oneLine(message)}\n${hint === undefined ? '' : `hint: ${oneLine(hint)}\n`}`);
    return EXIT_CODES[code];
  }
}

function dispatch(host: Host, commands: readonly Command[]): number {
  const [first, ...rest] = host.args;
  if (first === '--version') {
    host.out(`sextant-node ${VERSION} (sources ${SOURCE_DIGEST})\n`);
    return 0;
  }
  if (first === '--help' || first === 'help') {
    host.out(helpText(commands));
    return 0;
  }
  const command = commands.find(({ name }) => name === first);
  if (command === undefined) {
    const what = first === undefined ? 'no command is given' : `${first}: no such command`;
    throw new Failure('usage', what, 'sextant-node --help lists the commands');
  }
  const end = rest.indexOf('--');
  if ((end === -1 ? rest : rest.slice(0, end)).includes('--help')) {
    host.out(commandHelp(command));
    return 0;
  }
  return command.run({ host, ...parseArguments(command, rest) });
}

/** What came from elsewhere must not look like a second message. */
function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, '; ');
}
