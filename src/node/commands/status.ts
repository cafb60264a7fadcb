import { type Command, JSON_OPTION } from '../cli/command.ts';
import { openSession, requireRoot } from '../session.ts';
import { statusFacts } from './status-facts.ts';
import { statusText } from './status-text.ts';

/** What runs, what is kept, and what the next boot will do. */
export const status: Command = {
  name: 'status',
  summary: 'what runs, what is kept, what the next boot will run and why',
  words: [],
  options: [JSON_OPTION],
  run({ host, options }) {
    requireRoot(host, 'status');
    const facts = statusFacts(openSession(host));
    host.out(options.has('json') ? `${JSON.stringify(facts, null, 2)}\n` : statusText(facts));
    return 0;
  },
};
