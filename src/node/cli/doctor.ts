import { EXIT_CODES } from '../failure.ts';
import { findPrograms } from '../programs.ts';
import { type Command, JSON_OPTION } from './command.ts';

/** Tells what this node has of what sextant-node calls. Exit code of `tool` when something required is missing. */
export const doctor: Command = {
  name: 'doctor',
  summary: 'which programs of this node are needed, and whether they are there',
  words: [],
  options: [JSON_OPTION],
  run({ host, options }) {
    const programs = findPrograms(host);
    const ok = programs.every(({ path, required }) => path !== undefined || !required);
    if (options.has('json')) {
      const facts = programs.map((found) => ({ ...found, path: found.path ?? null }));
      host.out(`${JSON.stringify({ ok, programs: facts }, null, 2)}\n`);
    } else {
      for (const { name, path, required, reason } of programs) {
        const state = path !== undefined ? 'ok     ' : required ? 'missing' : 'limited';
        host.out(`${state}  ${name.padEnd(15)} ${path ?? `not found: ${reason}`}\n`);
      }
    }
    return ok ? 0 : EXIT_CODES.tool;
  },
};
