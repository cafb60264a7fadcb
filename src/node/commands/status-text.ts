import type { GenerationFacts, SlotFacts, StatusFacts } from './status-facts.ts';
import { lastHealth } from './status-facts.ts';
import { capital, printable, table, timeText, WIDTH, wrap } from './text.ts';

/** The states as people say them. */
const STATES: Readonly<Record<GenerationFacts['state'], string>> = {
  new: 'new',
  trying: 'on trial',
  good: 'good',
  bad: 'bad',
  superseded: 'superseded',
};

/** `status` for people: at most 80 columns, whatever the names. */
export function statusText(facts: StatusFacts): string {
  return [
    headline(facts),
    slotTable(facts.slots),
    generationTable(facts),
    section('Next boot', wrap(`  ${capital(printable(facts.nextBoot))}.`, '  ')),
    ...(facts.foreignExtensions.length === 0
      ? []
      : [section('Other extensions (never touched)', wrap(`  ${facts.foreignExtensions.join(', ')}`, '  '))]),
    ...(facts.problems.length === 0
      ? []
      : [
          section(
            'Look at this',
            facts.problems.map((text) => wrap(`  - ${printable(text)}`, '    ')).join(''),
          ),
        ]),
  ].join('\n');
}

function headline({ running, retired, settings }: StatusFacts): string {
  if (retired) return 'Retired: nothing of ours runs.\n';
  if (running === null) return 'No generation runs on this boot.\n';
  const tries =
    running.state === 'trying' && running.tries > 0 ? `, try ${running.tries} of ${settings.tries}` : '';
  return (
    wrap(
      printable(
        `Generation ${running.id} runs: Kubernetes ${running.kubernetes} on ${running.osName}, ${STATES[running.state]}${tries}.`,
      ),
    ) + wrap(printable(`${capital(running.why)} (${timeText(running.changed)}).`))
  );
}

function slotTable(slots: readonly SlotFacts[]): string {
  if (slots.length === 0) return section('Slots', '  This is a recovery or live boot: no slot is used.\n');
  const rows = slots.map(({ slot, running, os, generation }) => [
    `  ${slot}`,
    running ? 'runs now' : '',
    generation !== null ? `generation ${generation}` : os === null ? 'not known' : 'nothing',
    short(os ?? 'not known', 36),
  ]);
  return section('Slots', table([['  SLOT', '', 'BOOTS', 'OPERATING SYSTEM'], ...rows]));
}

function generationTable({ generations, settings }: StatusFacts): string {
  const rows = generations.map((one) => [
    `  ${one.id}`,
    STATES[one.state],
    short(one.kubernetes, 18),
    short(one.osName, 28),
    [
      one.running ? 'runs' : '',
      one.pinned ? 'pinned' : '',
      one.tries > 0 ? `${one.tries} of ${settings.tries}` : '',
    ]
      .filter((mark) => mark !== '')
      .join(', '),
  ]);
  const head = ['  ID', 'STATE', 'KUBERNETES', 'OPERATING SYSTEM', ''];
  const last = generations.flatMap((one) => {
    const entry = lastHealth(one);
    return entry === undefined
      ? []
      : [wrap(printable(`  ${one.id}: ${entry.result}, ${timeText(entry.at)}: ${entry.detail}`), '     ')];
  });
  return (
    section('Generations', cut(table([head, ...rows]))) +
    (last.length === 0 ? '' : `\n${section('Last health', last.join(''))}`)
  );
}

function section(title: string, body: string): string {
  return `${title}\n${body}`;
}

function short(text: string, most: number): string {
  const clean = printable(text);
  return clean.length <= most ? clean : `${clean.slice(0, most - 3)}...`;
}

function cut(text: string): string {
  return text.replace(new RegExp(`^(.{${WIDTH - 3}}).{4,}$`, 'gm'), '$1...');
}
