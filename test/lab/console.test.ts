import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

// `sextant lab console` on a terminal of its own, which script(1) makes.

let folder: string;
let guest: Server;
let typed: string;
let line: Socket;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-console-'));
  typed = '';
  guest = createServer((socket) => answer(socket)).listen(join(folder, 'console.socket'));
  await once(guest, 'listening');
  const lab = join(folder, 'state', 'sextant', 'lab', 'lab');
  await mkdir(lab, { recursive: true });
  const nodes = [{ name: 'node1', folder: lab, consoleSocket: join(folder, 'console.socket') }];
  const state = { name: 'lab', pid: process.pid, control: '', nodes, release: 'v1', server: '' };
  await writeFile(join(lab, 'lab.json'), JSON.stringify(state));
});
afterEach(async () => {
  guest.close();
  await rm(folder, { recursive: true, force: true });
});

/** A guest's serial line: a prompt, then what was typed comes back. */
function answer(socket: Socket): void {
  line = socket;
  socket.write('core login: ');
  socket.on('data', (piece) => {
    typed += piece;
    socket.write(piece);
  });
}

function onTerminal(command: string) {
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { ...process.env, XDG_STATE_HOME: join(folder, 'state') },
  });
  let shown = '';
  child.stdout.on('data', (piece) => {
    shown += piece;
  });
  return { child, shown: () => shown, ended: once(child, 'close') as Promise<[number]> };
}

const SEXTANT = `${process.execPath} build/sextant.js`;

test('what is typed reaches the guest as it is, Ctrl-C too; Ctrl-] leaves', async () => {
  const { child, shown, ended } = onTerminal(`${SEXTANT} lab console node1`);
  await expect.poll(shown, { timeout: 20_000 }).toContain('core login: ');
  child.stdin.write('kairos\r\u0003');
  await expect.poll(() => typed, { timeout: 20_000 }).toBe('kairos\r\u0003');
  child.stdin.write('\u001d');
  expect((await ended)[0]).toBe(0);
  expect(shown()).toContain('Ctrl-] leaves');
  expect(shown()).toContain('kairos\r');
});

test('it ends when the guest does', async () => {
  const { shown, ended } = onTerminal(`${SEXTANT} lab console`);
  await expect.poll(shown, { timeout: 20_000 }).toContain('core login: ');
  line.destroy();
  expect((await ended)[0]).toBe(0);
});
