import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { coreFrom } from '../../lab/core-source.ts';
import { holdLab, startHolder } from '../../lab/hold.ts';
import { openLab } from '../../lab/lab.ts';
import { findAccelerator } from '../../lab/machine/accelerator.ts';
import { chosenScenarios, lookFurther, parallelism, runScenarios } from '../../lab/run-scenarios.ts';
import { SCENARIOS } from '../../lab/scenarios/index.ts';
import { findLab, findNode, labFolder, listLabs } from '../../lab/state.ts';
import { askLab } from '../../lab/supervisor.ts';
import { checkArchitecture, checkRoom, claimName, type UpRequest } from '../../lab/up.ts';
import { API_FUNCTIONS } from '../../lab/watch.ts';
import { releaseFrom } from '../../release/obtain.ts';
import { readRelease } from '../../release/read.ts';
import type { Release } from '../../release/types.ts';
import type { Context } from '../../support/context.ts';
import { SextantError, toSextantError } from '../../support/errors.ts';
import { inStep } from '../../support/progress.ts';
import { secondsText } from '../../support/terminal.ts';
import { commandName } from '../name.ts';
import { table } from '../print.ts';

interface UpOptions {
  readonly name: string;
  readonly core?: string;
  readonly disk?: string;
  readonly release: string;
  readonly config?: string;
  readonly nodes: string;
  readonly memory: string;
  readonly wait: boolean;
}

function whole(text: string, option: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new SextantError('usage', `${option}: ${text} is not a number from ${least} to ${most}`);
}

/** `sextant lab up`: starts the machines and follows each node until it is Ready. */
export async function up(options: UpOptions, context: Context): Promise<void> {
  const request: UpRequest = {
    name: options.name,
    releaseFolder: await releaseFrom(options.release, context),
    nodes: whole(options.nodes, '--nodes', 1, 9),
    memory: whole(options.memory, '--memory', 1024, 1024 * 1024),
    ...(options.core === undefined ? {} : { core: options.core }),
    ...(options.disk === undefined ? {} : { disk: resolve(options.disk) }),
    ...(options.config === undefined ? {} : { config: resolve(options.config) }),
  };
  const endClaim = await claimName(request.name);
  let release: Release;
  try {
    for (const file of [request.config, request.disk]) if (file !== undefined) await stat(file);
    release = await readRelease(request.releaseFolder);
    checkArchitecture(release, request.releaseFolder);
    await checkRoom(request, labFolder(request.name));
    // What takes long the first time happens here, where progress can be seen.
    if (request.disk === undefined) await coreFrom(request.core, context);
    await startHolder(
      process.execPath,
      [...process.execArgv, process.argv[1] ?? '', 'lab', 'hold'],
      request,
      context,
    );
  } catch (error) {
    await rm(labFolder(request.name), { recursive: true, force: true });
    throw error;
  } finally {
    await endClaim();
  }
  const lab = await findLab(request.name);
  try {
    if (options.wait) {
      const follow = (name: string, api: boolean) =>
        inStep(
          context.progress,
          name,
          async (step) => {
            const times: string[] = [];
            await askLab(
              lab.control,
              { kind: 'watch', node: name, extensionName: release.name, api },
              context.signal,
              {
                onStep(reached, seconds) {
                  times.push(`${reached} ${Math.round(seconds)} s`);
                  step.update({ note: `${reached} at ${Math.round(seconds)} s` });
                },
              },
            );
            return times.join(', ');
          },
          (times) => times,
        );
      await Promise.all(lab.nodes.map(({ name }, index) => follow(name, index === 0)));
      // An agent has no API server of its own to ask: the server's says when it is Ready.
      const [server, ...agents] = lab.nodes;
      for (const { name } of agents)
        await inStep(context.progress, `${name}: node Ready`, async () => {
          const script = `${API_FUNCTIONS}\nuntil node_ready ${name}; do sleep 1; done`;
          const code = await askLab(
            lab.control,
            { kind: 'run', node: server?.name ?? '', script },
            context.signal,
            {},
          );
          if (code === 0) return;
          throw new SextantError(
            'tool',
            `${name}: ${server?.name} did not see it Ready (exit code ${code})`,
            {
              hint: `look at it: ${commandName()} lab logs ${name}`,
            },
          );
        });
    }
  } catch (error) {
    // A core image that is refused is of no use to anybody; what failed otherwise stays, to be looked at.
    if (context.signal.aborted || toSextantError(error).code === 'input') {
      await askLab(lab.control, { kind: 'down' }, new AbortController().signal).catch(() => {});
      while ((await listLabs()).some(({ name }) => name === lab.name)) await sleep(100);
    }
    throw error;
  }
  const self = commandName();
  process.stdout.write(`
Lab ${lab.name} is up: ${lab.nodes.map(({ name }) => name).join(', ')}, ${lab.release}.
  ${self} lab run node1 k3s kubectl get nodes
  ${self} lab console node1
  ${self} lab down
`);
}

export const hold = (context: Context) => holdLab(context);

/** `sextant lab list`. */
export async function list(options: { json?: boolean }): Promise<void> {
  const labs = await listLabs();
  if (options.json) {
    process.stdout.write(`${JSON.stringify(labs)}\n`);
    return;
  }
  const rows = labs.map(({ name, nodes, release, server }) => [
    name,
    nodes.map((node) => node.name).join(' '),
    release,
    server,
  ]);
  process.stdout.write(
    labs.length === 0
      ? 'no lab is up\n'
      : `${table([['lab', 'nodes', 'release', 'served at (for guests)'], ...rows])}\n`,
  );
}

/** `sextant lab down`: ends the machines; their disks go with them. */
export async function down(options: { lab?: string }, context: Context): Promise<void> {
  const lab = await findLab(options.lab);
  await askLab(lab.control, { kind: 'down' }, context.signal);
  while ((await listLabs()).some(({ name }) => name === lab.name))
    await sleep(100, undefined, { signal: context.signal });
  process.stdout.write(`lab ${lab.name} is down\n`);
}

/** `sextant lab run NODE CMD...`: output as it comes, the command's own exit code. */
export async function run(
  node: string,
  command: readonly string[],
  options: { lab?: string },
  context: Context,
): Promise<void> {
  const lab = await findLab(options.lab);
  const quoted =
    command.length === 1
      ? (command[0] ?? '')
      : command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const script = `. /etc/profile >/dev/null 2>&1; cd /root; ${quoted}`;
  process.exitCode = await askLab(
    lab.control,
    { kind: 'run', node: findNode(lab, node).name, script },
    context.signal,
    {
      onOutput: (text) => void process.stdout.write(text),
    },
  );
}

/** `sextant lab logs NODE`: what the console showed, from power-on. */
export async function logs(
  node: string | undefined,
  options: { lab?: string; follow?: boolean },
  context: Context,
): Promise<void> {
  const lab = await findLab(options.lab);
  const file = join(findNode(lab, node).folder, 'console.log');
  let position = 0;
  do {
    for await (const piece of createReadStream(file, { start: position })) {
      position += (piece as Buffer).length;
      process.stdout.write(piece as Buffer);
    }
    if (options.follow) await sleep(500, undefined, { signal: context.signal });
  } while (options.follow);
}

/** `sextant lab shot NODE FILE`: the screen as PNG. */
export async function shot(
  node: string,
  file: string,
  options: { lab?: string },
  context: Context,
): Promise<void> {
  const lab = await findLab(options.lab);
  await askLab(
    lab.control,
    { kind: 'shot', node: findNode(lab, node).name, file: resolve(file) },
    context.signal,
  );
  process.stdout.write(`${file}\n`);
}

/** Ctrl-], as telnet and virsh have it. */
const ESCAPE = 0x1d;

/** `sextant lab console NODE`: the serial console, until Ctrl-]. */
export async function openConsole(
  node: string | undefined,
  options: { lab?: string },
  context: Context,
): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new SextantError('usage', 'the console needs a terminal', {
      hint: 'see `sextant lab logs`, or `sextant lab run NODE CMD`',
    });
  }
  const lab = await findLab(options.lab);
  const { name, consoleSocket } = findNode(lab, node);
  process.stderr.write(
    `console of ${name}; Ctrl-] leaves it, Enter shows the prompt (user kairos, password kairos)\n`,
  );
  const socket = connect(consoleSocket);
  process.stdin.setRawMode(true);
  try {
    await new Promise<void>((finish, reject) => {
      socket.on('data', (piece) => void process.stdout.write(piece));
      socket.on('close', () => finish());
      socket.on('error', reject);
      context.signal.addEventListener('abort', () => finish(), { once: true });
      process.stdin.on('data', (piece: Buffer) => {
        if (piece.includes(ESCAPE)) finish();
        else socket.write(piece);
      });
    });
  } finally {
    process.stdin.setRawMode(false);
    process.stdin.pause();
    socket.destroy();
  }
}

interface TestOptions {
  readonly core?: string;
  readonly release: string;
  readonly recipe: string;
  readonly results: string;
  readonly cuts: string;
  readonly seed?: string;
  readonly list?: boolean;
  readonly json?: boolean;
}

/** `sextant lab test`: scenarios to their verdicts; exit code 4 when one failed. */
export async function test(names: readonly string[], options: TestOptions, context: Context): Promise<void> {
  if (options.list) {
    process.stdout.write(`${table(SCENARIOS.map(({ name, sentence }) => [name, sentence]))}\n`);
    return;
  }
  const scenarios = chosenScenarios(names);
  const powerCuts = {
    cuts: whole(options.cuts, '--cuts', 1, 1000),
    ...(options.seed === undefined ? {} : { seed: whole(options.seed, '--seed', 0, 2 ** 31 - 1) }),
  };
  const releaseFolder = await releaseFrom(options.release, context);
  const folder = resolve(options.results, 'lab');
  checkArchitecture(await readRelease(releaseFolder), releaseFolder);
  const accelerator = await findAccelerator(context.signal);
  context.progress.say(
    accelerator.name === 'kvm'
      ? 'guests run under KVM'
      : `guests are emulated, which is slow: ${accelerator.why}`,
  );
  const atOnce = parallelism(availableParallelism());
  const guests = scenarios.map((scenario) => scenario.guests ?? 1);
  const total = guests.reduce((sum, count) => sum + count, 0);
  await checkRoom({ nodes: Math.max(...guests, Math.min(atOnce, total)), memory: 4096 }, folder);
  const base = await coreFrom(options.core, context);
  const lab = await openLab(context, {
    folder,
    base,
    accelerator,
    releaseFolder,
    recipe: options.recipe,
    ...powerCuts,
  });
  const results = await runScenarios(lab, scenarios, { atOnce, results: resolve(options.results) });
  if (options.json) process.stdout.write(`${JSON.stringify(results)}\n`);
  else {
    const rows = results.map(({ name, passed, seconds, checked }) => [
      name,
      passed ? 'passed' : 'FAILED',
      secondsText(seconds * 1000),
      `${checked.length} checks`,
    ]);
    process.stdout.write(`${table([['scenario', 'verdict', 'time', ''], ...rows], [2])}\n`);
  }
  const failed = results.filter(({ passed }) => !passed);
  const [first] = failed;
  if (first === undefined) return;
  const called = { program: commandName(), release: releaseFolder };
  throw new SextantError(
    'verification',
    `${failed.length} of ${results.length} scenarios failed: ${failed.map(({ name }) => name).join(', ')}`,
    {
      details: failed
        .map(
          ({ name, failure, kept }) =>
            `${name}: ${failure}${kept === undefined ? '' : `\nlook further:\n  ${lookFurther({ name, kept, ...called }).join('\n  ')}`}`,
        )
        .join('\n\n'),
      ...(failed.some(({ kept }) => kept !== undefined)
        ? { hint: 'the console, the journal and the disk of each are kept; the commands above open them' }
        : {}),
    },
  );
}
