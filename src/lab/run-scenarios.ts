import { mkdir, rm, writeFile } from 'node:fs/promises';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { admission } from '../release/matrix/admission.ts';
import { SextantError, toSextantError } from '../support/errors.ts';
import { inStep } from '../support/progress.ts';
import { closeLab, type Lab } from './lab.ts';
import type { Scenario } from './scenarios/index.ts';
import { SCENARIOS } from './scenarios/index.ts';
import { Stage } from './stage.ts';

export interface ScenarioResult {
  readonly name: string;
  readonly sentence: string;
  readonly passed: boolean;
  readonly seconds: number;
  /** What was found to be so. */
  readonly checked: readonly string[];
  /** Why it failed. */
  readonly failure?: string;
  /** Where the disk and the logs were kept of the node that failed, if a guest was started; those of its other nodes are beside it. */
  readonly kept?: string;
}

/** Scenarios by name, all of them without names. Throws `usage` for a name that is not one. */
export function chosenScenarios(names: readonly string[]): readonly Scenario[] {
  const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    throw new SextantError('usage', `no such scenario: ${unknown.join(', ')}`, {
      hint: `there are: ${SCENARIOS.map(({ name }) => name).join(', ')}`,
    });
  }
  return names.length === 0 ? SCENARIOS : SCENARIOS.filter(({ name }) => names.includes(name));
}

/** Memory of one guest with what QEMU itself needs, bytes. */
const GUEST_BYTES = 5 * 1024 ** 3;

/** How many guests at once: two processors and memory for each. */
export function parallelism(processors: number, freeBytes: number = freemem()): number {
  return Math.max(1, Math.min(Math.floor(processors / 2), Math.floor(freeBytes / GUEST_BYTES)));
}

/** Runs one scenario to its verdict; never throws but when interrupted. */
export async function runScenario(lab: Lab, scenario: Scenario): Promise<ScenarioResult> {
  const began = performance.now();
  const stage = new Stage(lab, scenario.name);
  const seconds = () => (performance.now() - began) / 1000;
  const about = { name: scenario.name, sentence: scenario.sentence, checked: stage.checked };
  // A console log of an earlier run would be gone on with, and could speak for this one.
  await rm(stage.folder, { recursive: true, force: true });
  await mkdir(stage.folder, { recursive: true });
  try {
    await inStep(lab.context.progress, `scenario ${scenario.name}`, () => scenario.run(stage));
    if (!stage.verdictGiven)
      throw new SextantError('internal', `${scenario.name} ended without a verdict from a guest`);
    await stage.end(false);
    return { ...about, passed: true, seconds: seconds() };
  } catch (thrown) {
    const error = toSextantError(thrown);
    await stage.end(error.code !== 'interrupted');
    lab.context.signal.throwIfAborted();
    const failure = error.details === undefined ? error.message : `${error.message}\n${error.details}`;
    stage.say(failure);
    const result = { ...about, passed: false, seconds: seconds(), failure };
    const kept = stage.asked?.folder ?? lab.failedPreparation;
    return kept === undefined ? result : { ...result, kept };
  }
}

/** Calls `run` for each scenario in order, as soon as there is room for its guests; one that needs more than there ever is gets all of it. */
export async function inTurn<T extends Pick<Scenario, 'guests'>>(
  scenarios: readonly T[],
  room: number,
  run: (scenario: T) => Promise<void>,
): Promise<void> {
  const gate = admission({ jobs: room, memory: room });
  await Promise.all(scenarios.map((scenario) => gate.run(scenario.guests ?? 1, () => run(scenario))));
}

/** Runs scenarios, several at a time where the machine allows it, and writes lab.junit.xml and lab.json into `results`. */
export async function runScenarios(
  lab: Lab,
  scenarios: readonly Scenario[],
  /** `atOnce`: guests. */
  options: { readonly atOnce: number; readonly results: string },
): Promise<readonly ScenarioResult[]> {
  const done = new Map<Scenario, ScenarioResult>();
  try {
    await inTurn(scenarios, options.atOnce, async (scenario) => {
      lab.context.signal.throwIfAborted(); // Interrupted, none begins.
      done.set(scenario, await runScenario(lab, scenario));
    });
  } finally {
    await closeLab(lab);
  }
  const results = scenarios.flatMap((scenario) => done.get(scenario) ?? []);
  await mkdir(options.results, { recursive: true });
  await writeFile(join(options.results, 'lab.json'), `${JSON.stringify(results, null, 2)}\n`);
  await writeFile(join(options.results, 'lab.junit.xml'), junit(results));
  return results;
}

/** The commands with which to look at what a failed scenario left: `program` as it was called, `release` the folder that the lab had. */
export function lookFurther({
  name,
  kept,
  program,
  release,
}: {
  readonly name: string;
  readonly kept: string;
  readonly program: string;
  readonly release: string;
}): readonly string[] {
  const boots = !SCENARIOS.some((scenario) => scenario.name === name && scenario.noBiosLoader);
  return [
    `less -R ${join(kept, 'console.log')}`,
    `less ${join(kept, 'journal.txt')}`,
    ...(boots ? [`${program} lab up --no-wait --release ${release} --disk ${join(kept, 'disk.qcow2')}`] : []),
  ];
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
function xml(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, '').replace(/[&<>"]/g, (character) => escapes[character] ?? '');
}

/** The results in the JUnit form that CI systems read. */
export function junit(results: readonly ScenarioResult[]): string {
  const failed = results.filter(({ passed }) => !passed).length;
  const total = results.reduce((sum, { seconds }) => sum + seconds, 0);
  const cases = results.map(({ name, sentence, seconds, failure, checked }) => {
    const body =
      failure === undefined
        ? `<system-out>${xml(checked.join('\n'))}</system-out>`
        : `<failure message="${xml(failure.split('\n')[0] ?? '')}">${xml(failure)}</failure>`;
    return `    <testcase classname="lab.${xml(name)}" name="${xml(sentence)}" time="${seconds.toFixed(1)}">${body}</testcase>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="lab" tests="${results.length}" failures="${failed}" time="${total.toFixed(1)}">
${cases.join('')}  </testsuite>
</testsuites>
`;
}
