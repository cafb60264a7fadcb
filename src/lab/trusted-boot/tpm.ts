import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SextantError } from '../../support/errors.ts';
import { toolEnvironment } from '../../support/subprocess.ts';
import type { BootTools } from './tools.ts';

export interface Tpm {
  /** For QEMU; one machine can use it, and it ends with the machine. */
  readonly socket: string;
  stop(): Promise<void>;
}

/** swtpm's arguments for a TPM 2.0 with its state in a folder (swtpm(8)). */
export function tpmArguments(state: string, socket: string): string[] {
  return [
    'socket',
    '--tpm2',
    '--tpmstate',
    `dir=${state}`,
    '--ctrl',
    `type=unixio,path=${socket}`,
    '--terminate',
  ];
}

/** Starts a software TPM 2.0 that keeps its state and its log in `folder`. Throws `tool` when it does not come up. */
export async function startTpm(tools: BootTools, folder: string, signal: AbortSignal): Promise<Tpm> {
  signal.throwIfAborted();
  const state = join(folder, 'tpm');
  await mkdir(state, { recursive: true });
  const sockets = await mkdtemp(join(tmpdir(), 'sextant-'));
  const socket = join(sockets, 'tpm.socket');
  const { program, args } = tools.program('usr/bin/swtpm');
  const log = await open(join(folder, 'swtpm.log'), 'w');
  const child = spawn(program, [...args, ...tpmArguments(state, socket)], {
    stdio: ['ignore', log.fd, log.fd],
    env: toolEnvironment(),
  });
  await log.close();
  child.on('error', () => {}); // `close` follows.
  const ended = once(child, 'close').catch(() => []);
  const running = () => child.exitCode === null && child.signalCode === null && child.pid !== undefined;
  const kill = () => child.kill('SIGKILL');
  const stop = async () => {
    signal.removeEventListener('abort', kill);
    if (running()) kill();
    await ended;
    await rm(sockets, { recursive: true, force: true });
  };
  signal.addEventListener('abort', kill, { once: true });
  const there = () => stat(socket).then(Boolean, () => false);
  for (let tries = 0; !(await there()); tries++) {
    if (!running() || tries === 200) {
      await stop();
      throw new SextantError('tool', 'swtpm did not come up', { hint: `see ${join(folder, 'swtpm.log')}` });
    }
    await sleep(50);
  }
  return { socket, stop };
}
