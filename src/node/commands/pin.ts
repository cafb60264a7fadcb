import type { Command } from '../cli/command.ts';
import * as housekeeping from '../model/housekeeping.ts';
import { decideAndDo, generationNumber, requireRoot } from './session.ts';
import { capital } from './text.ts';

function pinCommand(name: 'pin' | 'unpin', summary: string): Command {
  return {
    name,
    summary,
    words: ['GENERATION'],
    options: [],
    run({ host, words: [word = ''] }) {
      requireRoot(host, name);
      const id = generationNumber(word, name);
      const { why } = decideAndDo(host, ({ records, observation }) =>
        housekeeping[name](records, observation, id),
      );
      host.out(`${capital(why)}.\n`);
      return 0;
    },
  };
}

export const pin = pinCommand('pin', 'keep a generation: its files stay, and no upgrade replaces it');
export const unpin = pinCommand('unpin', 'let upgrades replace a generation again');
