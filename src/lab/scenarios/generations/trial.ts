import { basename, dirname } from 'node:path';
import type { LabNode } from '../../node.ts';
import { type Stage, stepsText } from '../../stage.ts';
import type { BuiltRelease } from '../../variant.ts';
import { SEXTANT_NODE } from './adopted.ts';

/** Where the stage's nodes find a release that is served under its folder's name. */
export async function servedRelease(stage: Stage, { folder }: BuiltRelease): Promise<string> {
  const name = basename(dirname(folder));
  const { guestUrl } = await stage.serve({ [name]: folder });
  return `${guestUrl}/${name}/release.json`;
}

/** Asks for an upgrade by a restart and resolves when the boot that is the trial answers. */
export async function upgradeByRestart(
  stage: Stage,
  node: LabNode,
  address: string,
  options = '',
): Promise<string> {
  return restartBy(stage, node, `upgrade --to ${address} ${options}`);
}

/** A command of sextant-node that ends in a restart: what it says until then is told. Resolves when the boot after it answers. */
export async function restartBy(stage: Stage, node: LabNode, command: string): Promise<string> {
  const { bootId } = await node.boot();
  await begin(stage, node, `${SEXTANT_NODE} ${command}`);
  return (await node.bootAfter(bootId)).bootId;
}

/** What a command that ends in a restart returns does not come through. */
async function begin(stage: Stage, node: LabNode, command: string): Promise<void> {
  const said: string[] = [];
  const result = await node.try(command, (text) => void said.push(text)).catch(() => undefined);
  for (const line of said.join('').trimEnd().split('\n')) stage.say(`| ${line}`);
  if (result !== undefined)
    stage.check(`${command.split(' ').slice(1).join(' ')}: succeeds`, result.code === 0, said.join(''));
}

/** Follows the boot that runs now to Ready; seconds of it since power-on or restart. */
export async function readyAgain(stage: Stage, node: LabNode): Promise<number> {
  const steps = await stage.untilReady(node);
  stage.say(stepsText(steps));
  return steps.get('node Ready') ?? Number.NaN;
}

/** The lines of the serial console that sextant-node wrote, each with its kernel time where it has one. */
export async function saidOnConsole(stage: Stage, node: LabNode): Promise<readonly string[]> {
  const text = await stage.consoleOf(node);
  const lines = text.split(/\r?\n/).filter((line) => /sextant(-node)?(\[\d+\])?: /.test(line));
  return [...new Set(lines.map((line) => line.trim()))];
}
