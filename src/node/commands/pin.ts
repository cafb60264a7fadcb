import type { Command } from '../cli/command.ts';
import * as model from '../model/housekeeping.ts';
import { decideAndDo, generationNumber, requireRoot } from '../session.ts';
import { capital, wrap } from './text.ts';

function pinCommand(name: 'pin' | 'unpin', change: typeof model.pin, summary: string): Command {
  return {
    name,
    summary,
    words: ['GENERATION'],
    options: [],
    run({ host, words: [word = ''] }) {
      requireRoot(host, name);
      const id = generationNumber(word, name);
      const { why } = decideAndDo(host, ({ records, observation }) => change(records, observation, id));
      host.out(wrap(`${capital(why)}.`));
      return 0;
    },
  };
}

export const pin = pinCommand(
  'pin',
  model.pin,
  'keep a generation: its files stay, and no upgrade replaces it',
);
export const unpin = pinCommand('unpin', model.unpin, 'let upgrades replace a generation again');
