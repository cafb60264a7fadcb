import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ActivationChoices, releaseActivation } from '../release/activation.ts';
import type { Release } from '../release/types.ts';
import type { Architecture } from '../support/architecture.ts';
import { SextantError } from '../support/errors.ts';
import { inStep } from '../support/progress.ts';
import type { Lab, ReadyNode } from './lab.ts';
import type { Files } from './machine/disk.ts';
import { bootNode, type LabNode, type NodeRequest, prepareDisk } from './node.ts';
import { provingScript } from './proving.ts';
import { type ReleaseServer, serveRelease } from './release-server.ts';
import type { BuiltRelease } from './variant.ts';
import type { StepName } from './watch.ts';

/** Name under which the activation lies in /oem, as the documentation says. */
export const ACTIVATION_FILE = '90_sextant.yaml';

/** Name of the memory snapshot in a ready node's disk. */
const SNAPSHOT = 'ready';

/** What a scenario works with. Everything it starts is ended with it. */
export class Stage {
  readonly lab: Lab;
  readonly folder: string;
  readonly #name: string;
  readonly #nodes: LabNode[] = [];
  readonly #servers: ReleaseServer[] = [];
  /** What was found to be so, in the order of the checks. */
  readonly checked: string[] = [];
  verdictGiven = false;
  /** The node that was asked last: where something fails, the one to look at. */
  asked: LabNode | undefined;

  constructor(lab: Lab, name: string) {
    this.lab = lab;
    this.#name = name;
    this.folder = join(lab.folder, name);
  }

  get nodes(): readonly LabNode[] {
    return this.#nodes;
  }

  get extensionName(): string {
    return this.lab.release.name;
  }

  /** The release's extension for guests of this architecture. Throws `input` when it has none. */
  image(architecture: Architecture): Release['images'][number] {
    const image = this.lab.release.images.find((one) => one.architecture === architecture);
    if (image === undefined) {
      throw new SextantError(
        'input',
        `${this.lab.releaseFolder}: has no extension for ${architecture} (build it with \`--arch ${architecture}\` too, or name another release)`,
      );
    }
    return image;
  }

  get amd64(): Release['images'][number] {
    return this.image('amd64');
  }

  /** What a node's consoles show: the serial one since power-on, and the text of the screen, which is /dev/console on most images. */
  async consoleOf(node: LabNode): Promise<string> {
    const screen = (await node.try('cat /dev/vcs1')).output; // Long lines go on in the next row, short ones end in blanks.
    return `${await readFile(node.machine.consoleLog, 'utf8')}\n${screen.replace(/ {2,}/g, '\n')}`;
  }

  /** The activation of another release, served at `url`. */
  activationOf(
    { release, folder }: BuiltRelease,
    url: string,
    choices: ActivationChoices = {},
  ): Promise<string> {
    return releaseActivation(release, folder, { url, ...choices });
  }

  /** Serves the lab's release (as `/release/`) and further folders to the guests. */
  async serve(more: Readonly<Record<string, string>> = {}): Promise<ReleaseServer> {
    const server = await serveRelease({ release: this.lab.releaseFolder, ...more });
    this.#servers.push(server);
    return server;
  }

  /** The release's activation for a server of `serve`, as `sextant activation --url` writes it. */
  activation(server: ReleaseServer, choices: ActivationChoices = {}): Promise<string> {
    return releaseActivation(this.lab.release, this.lab.releaseFolder, {
      url: `${server.guestUrl}/release`,
      ...choices,
    });
  }

  /** Boots a new node from the core disk with these files in /oem. */
  async node(oem: Files, more: Partial<Omit<NodeRequest, 'folder' | 'oem'>> = {}): Promise<LabNode> {
    const request = this.#request(oem, more);
    const disk = await prepareDisk(request, this.lab.context.signal);
    return this.#boot(request, disk);
  }

  /** Boots a copy of a node's disk that has been shut down. */
  async nodeFrom(
    disk: string,
    more: Partial<Pick<NodeRequest, 'memory' | 'machine' | 'name'>> = {},
  ): Promise<LabNode> {
    const request = this.#request({}, more);
    const copy = await this.#copy(disk, request);
    return this.#boot(request, copy);
  }

  /**
   * A node that has come to Ready by its first boot, resumed with its memory: hides nothing from what happens afterwards. Its release
   * server is `server`.
   */
  async readyNode(
    more: Partial<Pick<NodeRequest, 'name'>> = {},
  ): Promise<{ node: LabNode; server: ReleaseServer }> {
    this.lab.ready ??= makeReadyNode(this.lab);
    const { disk, server } = await this.lab.ready;
    return { node: await this.resume(disk, more), server };
  }

  /** Goes on with a copy of a node that was saved with its memory. */
  async resume(disk: string, more: Partial<Pick<NodeRequest, 'name'>> = {}): Promise<LabNode> {
    const request = this.#request({}, { ...more, machine: { extra: ['-loadvm', SNAPSHOT] } });
    return this.#boot(request, await this.#copy(disk, request));
  }

  /** Boots a node's own disk again, whose machine has ended, pulled or shut down. */
  async bootAgain(node: LabNode, more: Partial<Pick<NodeRequest, 'machine'>> = {}): Promise<LabNode> {
    return this.#boot(this.#request({}, { ...more, name: node.name }), join(node.folder, 'disk.qcow2'));
  }

  /**
   * Ends a node that has just come to Ready and keeps it, with its memory and its release server, for the scenarios that start from
   * one; unless there is one already.
   */
  async donate(node: LabNode, server: ReleaseServer): Promise<void> {
    this.lab.ready ??= this.save(node, server, 'ready');
    await this.lab.ready;
  }

  /** Saves a running node with its memory under a name. It ends; its server goes on. */
  async save(node: LabNode, server: ReleaseServer, name: 'ready' | 'adopted'): Promise<ReadyNode> {
    await node.run('sync');
    await node.machine.qmp.execute('stop');
    const said = await node.machine.qmp.execute('human-monitor-command', {
      'command-line': `savevm ${SNAPSHOT}`,
    });
    if (said !== '')
      throw new SextantError('tool', `the ${name} node cannot be saved: ${String(said).trim()}`);
    await node.stop();
    const disk = join(this.lab.folder, `${name}.qcow2`);
    await rename(join(node.folder, 'disk.qcow2'), disk);
    const own = this.#servers.indexOf(server);
    if (own !== -1) this.#servers.splice(own, 1);
    return { disk, server };
  }

  /** The disk of a node that came to Ready by its first boot and was shut down, and its release server. */
  async readyDisk(): Promise<ReadyNode> {
    this.lab.readyOff ??= this.#shutDownReady();
    return this.lab.readyOff;
  }

  async #shutDownReady(): Promise<ReadyNode> {
    const { node, server } = await this.readyNode({ name: 'ready' });
    await node.powerOff();
    const disk = join(this.lab.folder, 'ready-off.qcow2');
    await rename(join(node.folder, 'disk.qcow2'), disk);
    return { disk, server };
  }

  async #copy(disk: string, request: NodeRequest): Promise<string> {
    await mkdir(request.folder, { recursive: true });
    const copy = join(request.folder, 'disk.qcow2');
    await copyFile(disk, copy);
    return copy;
  }

  #request(oem: Files, more: Partial<NodeRequest>): NodeRequest {
    const name = more.name ?? `node${this.#nodes.length + 1}`;
    return {
      base: this.lab.base,
      accelerator: this.lab.accelerator,
      emulator: this.lab.emulator,
      oem,
      ...more,
      name,
      folder: join(this.folder, name),
    };
  }

  async #boot(request: NodeRequest, disk: string): Promise<LabNode> {
    const node = await bootNode(request, disk, this.lab.context.signal);
    this.asked = node;
    this.#nodes.push(node);
    return node;
  }

  /** Follows a node's boot to its end, each step shown. */
  async untilReady(
    node: LabNode,
    options: { readonly api?: boolean; readonly standard?: boolean; readonly timeoutSeconds?: number } = {},
  ) {
    this.asked = node;
    return inStep(
      this.lab.context.progress,
      `${this.#name}: ${node.name}`,
      (step) =>
        node.watch({
          extensionName: options.standard ? undefined : this.extensionName,
          api: options.api ?? true,
          onStep: (name, seconds) => step.update({ note: `${name} at ${Math.round(seconds)} s` }),
          ...(options.timeoutSeconds === undefined ? {} : { timeoutSeconds: options.timeoutSeconds }),
        }),
      stepsText,
    );
  }

  /** Waits, unless the run is interrupted. */
  pause(seconds: number): Promise<void> {
    return sleep(seconds * 1000, undefined, { signal: this.lab.context.signal });
  }

  say(line: string): void {
    this.lab.context.progress.say(`  ${this.#name}: ${line}`);
  }

  /** Holds a finding against what must be so. */
  check(what: string, holds: boolean, found: string): void {
    if (!holds) throw new SextantError('verification', `not so: ${what}`, { details: `found: ${found}` });
    this.checked.push(what);
    this.say(what);
  }

  /** Runs a shell script in the guest that must succeed, for a sentence that it proves. Gives its output. */
  async prove(what: string, node: LabNode, script: string): Promise<string> {
    this.asked = node;
    const { code, output } = await node.try(provingScript(script));
    this.check(what, code === 0, `exit code ${code} of\n${script.trim()}\n${output.trimEnd()}`);
    return output;
  }

  /**
   * The scenario's verdict, from inside the guest: the checks run there, and only when all of them hold does the guest give back a
   * code that was made for this very question.
   */
  async verdict(node: LabNode, what: string, checks: string): Promise<void> {
    const code = randomBytes(16).toString('hex');
    const output = await this.prove(what, node, `${checks}\necho\necho success ${code}`);
    const last = output.trimEnd().split('\n').at(-1);
    this.check('the verdict carries the code of this question', last === `success ${code}`, String(last));
    this.verdictGiven = true;
  }

  /** Ends what runs. Where something failed, the guest's journal is taken first. */
  async end(failed: boolean): Promise<void> {
    for (const node of this.#nodes) {
      if (failed) await keepJournal(node).catch(() => {});
      await node.stop();
    }
    for (const server of this.#servers) await server.close();
    if (!failed) await rm(this.folder, { recursive: true, force: true });
  }
}

async function keepJournal(node: LabNode): Promise<void> {
  const limit = new Promise<undefined>((resolve) => setTimeout(resolve, 60_000, undefined).unref());
  const journal = node.machine.isRunning()
    ? await Promise.race([
        node.try('journalctl -b --no-pager -o short-monotonic').catch(() => undefined),
        limit,
      ])
    : undefined;
  await writeFile(
    join(node.folder, 'journal.txt'),
    journal?.output ?? 'The guest did not answer any more: its journal is on the disk that was kept.\n',
  );
}

export function stepsText(steps: ReadonlyMap<StepName, number>): string {
  return [...steps].map(([name, seconds]) => `${name} ${Math.round(seconds)} s`).join(', ');
}

function makeReadyNode(lab: Lab): Promise<ReadyNode> {
  return preparation(lab, 'ready-node', async (stage) => {
    const server = await stage.serve();
    const node = await stage.node({ [ACTIVATION_FILE]: await stage.activation(server) });
    await stage.untilReady(node);
    return stage.save(node, server, 'ready');
  });
}

/** What several scenarios start from, made on a stage of its own; where that fails its node is kept to be looked at. */
export async function preparation<T>(lab: Lab, name: string, work: (stage: Stage) => Promise<T>): Promise<T> {
  const stage = new Stage(lab, name);
  try {
    const made = await work(stage);
    await stage.end(false);
    return made;
  } catch (error) {
    if (stage.asked) lab.failedPreparation = stage.asked.folder;
    await stage.end(true);
    throw error;
  }
}
