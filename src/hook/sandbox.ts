import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Architecture, hostArchitecture } from '../support/architecture.ts';
import { SextantError } from '../support/errors.ts';
import { bundledProgram } from '../support/package.ts';
import { run } from '../support/subprocess.ts';
import type { BuildLog } from './build-log.ts';
import { binfmtRule, type ForeignMode, hostRunsForeign } from './foreign.ts';
import { type GateMessage, type GateOrders, messageReader } from './gate-messages.ts';
import { certificateBundles, hookEnvironment, PROXY_PORT, SANDBOX_PATH } from './hook-environment.ts';
import { type LayerFile, linkOrCopy, writeLowerLayer } from './lower-layer.ts';
import { machineShims } from './machine-shims.ts';
import { chooseUserMap, inInitialNamespace, namespaceCommand, type UserMap } from './namespaces.ts';
import type { BuildEvent, EncodedEvent } from './protocol.ts';
import { sandboxFailure } from './sandbox-failure.ts';
import { SETUP } from './sandbox-scripts.ts';
import type { HookRequest } from './types.ts';
import { removeFolder } from './upper-layer.ts';

/** A sandbox laid out on disk and not running yet. */
export interface Sandbox {
  readonly folder: string;
  readonly userMap: UserMap;
  readonly command: string;
  readonly args: readonly string[];
}

/** What happened in a sandbox. An event that was not sent has no answer. */
export interface SandboxOutcome {
  readonly answers: ReadonlyMap<BuildEvent, { readonly code: number; readonly stdout: Buffer }>;
  readonly removed: readonly string[];
}

interface SandboxRequest {
  readonly hook: HookRequest;
  readonly proxy: { readonly socket: string; readonly certificate: string };
  readonly events: readonly EncodedEvent[];
  readonly log: BuildLog;
  /** For tests: leaves binfmt_misc out. */
  readonly foreignMode?: Extract<ForeignMode, 'wrappers'>;
}

const PLUGIN_FOLDER = '/system/providers';
const EMULATOR = '/run/sextant/emulator';

/** Lays everything down that the sandbox is made of: the layer between root and upper, the gate's orders, mount points. */
export async function prepareSandbox(request: SandboxRequest): Promise<Sandbox> {
  const { hook, proxy, events, log } = request;
  const folder = join(hook.workFolder, '.sandbox');
  for (const name of ['stage', 'root', 'work', 'merged', 'tmp', 'sextant', 'binfmt']) {
    await mkdir(join(folder, name), { recursive: true });
  }
  await mkdir(join(hook.workFolder, 'upper'), { recursive: true });
  // What the hook sees as /, /tmp and /run/sextant, whatever the umask.
  for (const name of ['stage', '../upper', 'sextant']) await chmod(join(folder, name), 0o755);
  await chmod(join(folder, 'tmp'), 0o1777);
  const host = hostArchitecture();
  const foreign = hook.architecture !== host;
  if (foreign && hook.emulator === undefined) {
    throw new SextantError('tool', `the hook for ${hook.architecture} needs an emulator on this machine`, {
      hint: `build on ${hook.architecture}, or let the recipe's lock bring qemu-user (\`sextant lock\`)`,
    });
  }
  const userMap = await chooseUserMap(foreign && request.foreignMode === undefined);
  await requireOwnRoot(hook.root, userMap);
  const plugin = `${PLUGIN_FOLDER}/${basename(hook.plugin)}`;
  const files: LayerFile[] = [
    { path: plugin, from: hook.plugin, mode: 0o755 },
    ...(await certificateBundles(hook.root, proxy.certificate)),
    ...Object.entries(hook.extraFiles ?? {}).map(([path, from]) => ({ path, from })),
  ];
  if (foreign && host !== undefined && hook.emulator !== undefined) {
    await linkOrCopy(hook.emulator, join(folder, 'sextant/emulator'), 0o755);
    files.push(...(await machineShims({ root: hook.root, folder, host, target: hook.architecture, log })));
  }
  await writeLowerLayer(join(folder, 'stage'), hook.root, ['/proc', '/dev', '/sys', '/run', '/tmp'], files);
  const orders: GateOrders = {
    proxy: proxy.socket,
    port: PROXY_PORT,
    plugin,
    events,
    environment: hookEnvironment(hook.environment),
    path: SANDBOX_PATH,
    ...(foreign ? { foreign: await foreignOrders(hook.architecture, request.foreignMode) } : {}),
  };
  await writeFile(join(folder, 'orders.json'), JSON.stringify(orders));
  const privateRule = foreign && userMap !== 'none' && request.foreignMode === undefined;
  const xattr = userMap === 'none' && (await inInitialNamespace()) ? '' : ',userxattr';
  const { command, args } = namespaceCommand(userMap, [
    'sh',
    '-c',
    SETUP,
    'sh',
    hook.root,
    // Relative paths: a comma or colon in a name would end the option.
    `lowerdir=stage:root,upperdir=../upper,workdir=work,redirect_dir=nofollow,metacopy=off,index=off${xattr}`,
    // Only ever in a user namespace of the sandbox's own: elsewhere the rule would change the machine.
    privateRule ? binfmtRule(hook.architecture, 'sextant/emulator') : '',
    process.execPath,
    bundledProgram('sandbox-gate'),
    'orders.json',
  ]);
  log.line('sandbox', USER_MAPS[userMap]);
  return { folder, userMap, command, args };
}

/**
 * Runs a prepared sandbox until the gate has sent the events. Throws `tool` when it could not be made or broke, `interrupted` on the signal;
 * what runs in it is gone then.
 */
export async function runSandbox(
  sandbox: Sandbox,
  log: BuildLog,
  signal: AbortSignal,
): Promise<SandboxOutcome> {
  const answers = new Map<BuildEvent, { code: number; stdout: Buffer }>();
  let started = false;
  let removed: readonly string[] | undefined;
  let said = '';
  const read = messageReader((message) => {
    record(message, log);
    if (message.kind === 'started') started = true;
    if (message.kind === 'finished') removed = message.removed;
    if (message.kind === 'answer') {
      answers.set(message.name, { code: message.code, stdout: Buffer.from(message.data, 'base64') });
    }
  });
  try {
    await run(sandbox.command, sandbox.args, {
      cwd: sandbox.folder,
      signal,
      timeoutSeconds: 2_000_000, // The caller's signal has the time limit, which stands still while it fetches.
      keepBytes: 64 * 1024,
      missingHint: 'install util-linux: apt-get install -y util-linux',
      onOutput(piece, stream) {
        if (stream === 'stdout') return read(piece);
        log.output('sandbox', piece);
        said = (said + piece.toString('utf8')).slice(-16 * 1024);
      },
    });
  } catch (error) {
    if (
      error instanceof SextantError &&
      (error.code === 'interrupted' || error.message.endsWith('not found'))
    ) {
      throw error;
    }
    throw sandboxFailure(said, started, sandbox.userMap);
  }
  if (removed === undefined) throw sandboxFailure(said, started, sandbox.userMap);
  return { answers, removed };
}

/** Removes what a sandbox needed; with `everything`, the upper layer too. */
export async function clearSandbox(workFolder: string, userMap: UserMap, everything: boolean): Promise<void> {
  const folders = [join(workFolder, '.sandbox'), ...(everything ? [join(workFolder, 'upper')] : [])];
  for (const folder of folders) {
    await removeFolder(folder).catch(async (error: unknown) => {
      if (userMap !== 'subordinate') throw error;
      // Files of subordinate ids can be removed by their namespace's root only.
      await run('unshare', ['--user', '--map-root-user', '--map-auto', 'rm', '-rf', '--', folder]);
    });
  }
}

const USER_MAPS: Readonly<Record<UserMap, string>> = {
  none: 'run by root, without a user namespace',
  all: 'run by root, in a user namespace with every user',
  subordinate: 'user namespace with subordinate ids',
  single:
    'user namespace with root only: the hook cannot give files to other users (uidmap and a range in /etc/subuid and /etc/subgid would let it)',
};

/** In a namespace where only the caller is somebody, nothing can be written over folders of another user. */
async function requireOwnRoot(root: string, userMap: UserMap): Promise<void> {
  if (userMap === 'none' || userMap === 'all' || (await stat(root)).uid === process.getuid?.()) return;
  throw new SextantError('filesystem', `${root}: belongs to another user, the hook could not write over it`, {
    hint: 'set SEXTANT_CACHE to a folder of your own, or build as the user that the cache belongs to',
  });
}

async function foreignOrders(
  architecture: Architecture,
  forced: 'wrappers' | undefined,
): Promise<NonNullable<GateOrders['foreign']>> {
  const byHost = forced === undefined && (await hostRunsForeign(architecture));
  return { architecture, emulator: EMULATOR, otherwise: byHost ? 'host' : 'wrappers' };
}

function record(message: GateMessage, log: BuildLog): void {
  switch (message.kind) {
    case 'started':
      if (message.foreign !== undefined) log.line('sandbox', FOREIGN_MODES[message.foreign]);
      break;
    case 'event':
      log.line('event', `${message.name} sent: ${message.sent}`);
      break;
    case 'output':
      log.output(`${message.name} stderr`, Buffer.from(message.data, 'base64'));
      break;
    case 'answer':
      log.line('event', `${message.name} ended with exit code ${message.code}`);
      break;
    case 'killed':
      log.line('event', `${message.name} did not end well: ${message.reason}`);
      break;
    case 'wrapped':
      log.line('shim', `${message.path} runs through the emulator, by a wrapper mounted over it`);
      break;
    case 'finished':
      for (const path of message.removed) log.line('sandbox', `removed by the hook: ${path}`);
  }
}

const FOREIGN_MODES: Readonly<Record<ForeignMode, string>> = {
  private:
    'programs of the target architecture run under the emulator, by a binfmt_misc rule of the sandbox alone',
  host: "programs of the target architecture run under the emulator of this machine's own binfmt_misc rule",
  wrappers:
    'no binfmt_misc here (Linux 6.7 with user namespaces has it): the plug-in, and after install the programs it laid down, run through wrappers',
};
