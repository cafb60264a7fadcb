import { Command, CommanderError, Option } from 'commander';
import { settled } from '../support/at-exit.ts';
import { EXIT_CODES, SextantError, toSextantError } from '../support/errors.ts';
import { VERSION } from '../support/version.ts';
import { commands } from './commands.ts';
import { printError } from './print.ts';

/** How long what an error left running may take to clean up after itself. */
const SETTLE_MS = 30_000;

const EXIT_CODE_HELP = `
Exit codes:
  0 success   1 defect in sextant   2 usage   3 bad input   4 verification failed
  5 external tool missing or failed   6 network   7 file system
  8 some releases failed, others stand   9 something is newer upstream   130 interrupted

Environment:
  SEXTANT_CACHE        folder of the cache (default: ~/.cache/sextant)
  SEXTANT_CACHE_LIMIT  its size limit, such as 500M or 20G (the default); builds keep to it
  NO_COLOR             no colours`;

/** Ctrl-C aborts what is under way, so that it cleans up; a second one ends the process at once. */
function interruption(): AbortController {
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (abort.signal.aborted) process.exit(EXIT_CODES.interrupted);
      const cause = new SextantError('interrupted', 'interrupted', {
        hint: 'run the same command again; finished downloads are kept',
      });
      abort.abort(cause);
    });
  }
  return abort;
}

async function main(): Promise<void> {
  const program = new Command('sextant')
    .description('Builds Kubernetes extensions for Kairos nodes: recipe in, verified release out.')
    .version(VERSION, '--version')
    .addOption(new Option('--debug', 'print where an error comes from'))
    .addHelpText('after', EXIT_CODE_HELP)
    .showSuggestionAfterError()
    .exitOverride();
  const abort = interruption();
  for (const command of commands(abort.signal)) program.addCommand(command.exitOverride());
  try {
    await program.parseAsync();
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      // Commander has printed its own message; only --help and --version are not errors.
      process.exitCode = thrown.exitCode === 0 ? 0 : EXIT_CODES.usage;
      return;
    }
    const error = toSextantError(thrown);
    printError(error, { debug: program.opts<{ debug?: boolean }>().debug === true });
    process.exitCode = EXIT_CODES[error.code];
    abort.abort(error); // What else is under way ends and cleans up.
    await settled(SETTLE_MS);
  }
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0); // `sextant inspect | head`
  throw error;
});

/** Resolves when all that was written to a stream has reached it, however slow its reader. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((done) => stream.write('', () => done()));
}

await main();
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
// Sockets that a server keeps open, or that still wait for one, must not hold a finished command.
process.exit();
