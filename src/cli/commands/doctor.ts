import { checkMachine } from '../../release/machine.ts';
import type { Context } from '../../support/context.ts';
import { EXIT_CODES } from '../../support/errors.ts';
import { table } from '../print.ts';

/** Prints what this machine has and lacks; exit code 5 when something that builds need is missing. */
export async function doctor(options: { readonly json?: boolean }, context: Context): Promise<void> {
  const checks = await checkMachine(context.cache);
  const missing = checks.some(({ state }) => state === 'missing');
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ok: !missing, checks })}\n`);
  } else {
    const rows = checks.map(({ name, state, found, purpose }) => [state, name, found, `for ${purpose}`]);
    const fixes = checks.flatMap(({ name, fix }) => (fix === undefined ? [] : [`  ${name}: ${fix}`]));
    process.stdout.write(`${table(rows)}\n`);
    if (fixes.length > 0) process.stdout.write(`\nTo mend it:\n${fixes.join('\n')}\n`);
  }
  if (missing) process.exitCode = EXIT_CODES.tool;
}
