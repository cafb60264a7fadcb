import { generation } from '../model/change.ts';
import type { GenerationState, HealthEntry, Records } from '../model/types.ts';

const STATES: readonly GenerationState[] = ['new', 'trying', 'good', 'bad', 'superseded'];
const RESULTS: readonly HealthEntry['result'][] = ['good', 'bad', 'silent', 'server-away', 'foreign'];

/**
 * The records in the text format of Prometheus, for node_exporter's textfile collector.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function metricsText(records: Records): string {
  const running = generation(records, records.boot?.generation ?? null);
  const last = running?.health.at(-1)?.result;
  const count = (state: GenerationState) => records.generations.filter((pair) => pair.state === state).length;
  const one = (is: boolean) => (is ? 1 : 0);
  return [
    metric('sextant_generation', 'Generation that runs, 0 for none.', [['', running?.id ?? 0]]),
    metric('sextant_generation_info', 'The pair that runs.', [
      [
        labels({
          generation: String(running?.id ?? 0),
          kubernetes: running?.kubernetes ?? '',
          operating_system: running?.osName ?? '',
        }),
        1,
      ],
    ]),
    metric(
      'sextant_generation_state',
      'State of the generation that runs: 1 for the one it is in.',
      STATES.map((state) => [labels({ state }), one(running?.state === state)]),
    ),
    metric('sextant_generation_tries', 'Boots counted against the generation that runs.', [
      ['', running?.tries ?? 0],
    ]),
    metric('sextant_tries_limit', 'Boots that a pair on trial gets.', [['', records.settings.tries]]),
    metric(
      'sextant_last_result',
      'Last result of the health checks on the generation that runs: 1 for what it was.',
      RESULTS.map((result) => [labels({ result }), one(last === result)]),
    ),
    metric(
      'sextant_generations',
      'Generations recorded, by state.',
      STATES.map((state) => [labels({ state }), count(state)]),
    ),
    metric('sextant_trial_wanted', 'Generation on trial that is to become the one that runs, 0 for none.', [
      ['', records.wanted ?? 0],
    ]),
    metric('sextant_restore_ahead', '1 while a datastore snapshot waits to be put back.', [
      ['', one(records.datastore.restore !== null)],
    ]),
  ].join('');
}

function metric(name: string, help: string, samples: readonly (readonly [string, number])[]): string {
  const lines = samples.map(([text, value]) => `${name}${text} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`;
}

function labels(values: Readonly<Record<string, string>>): string {
  const escaped = (text: string) => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
  return `{${Object.entries(values)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')}}`;
}
