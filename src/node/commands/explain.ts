import { type Command, JSON_OPTION } from '../cli/command.ts';
import { Failure } from '../failure.ts';
import { generation } from '../model/change.ts';
import { explainGeneration } from '../model/explain.ts';
import { generationNumber, openSession, requireRoot } from '../session.ts';
import { capital, printable, wrap } from './text.ts';

/** Everything that is known of one generation. */
export const explain: Command = {
  name: 'explain',
  summary: 'everything that is known of one generation',
  words: ['GENERATION'],
  options: [JSON_OPTION],
  run({ host, words: [word = ''], options }) {
    requireRoot(host, 'explain');
    const id = generationNumber(word, 'explain');
    const { records, observation } = openSession(host);
    const pair = generation(records, id);
    if (!pair) throw new Failure('input', `there is no generation ${id}`, 'see: sextant-node status');
    if (options.has('json')) {
      host.out(`${JSON.stringify(pair, null, 2)}\n`);
      return 0;
    }
    const [first = '', ...rest] = explainGeneration(records, id, observation).map(withTimes).map(printable);
    host.out(wrap(capital(first)) + rest.map((line) => wrap(`  ${line}`, '    ')).join(''));
    const files = pair.files.map(
      ({ name, sha256, size }) => `  file ${name}.sysext.raw, ${size} bytes, SHA-256\n    ${sha256}\n`,
    );
    host.out(files.join(''));
    return 0;
  },
};

/** Times to the minute, as everywhere. */
function withTimes(line: string): string {
  return line.replace(/(\d{4}-\d\d-\d\d)T(\d\d:\d\d):[\d.]+Z/g, '$1 $2 UTC');
}
