import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LabNode } from '../../src/lab/node.ts';
import { askLab, serveControl } from '../../src/lab/supervisor.ts';
import { SextantError } from '../../src/support/errors.ts';

let folder: string;
let control: string;
let close = () => {};
const never = new AbortController().signal;

/** A node that answers scripts without a guest: "exit N" gives N, "hang" never answers. */
const node = {
  name: 'node1',
  try: (script: string, onOutput?: (text: string) => void) => {
    if (script === 'hang') return new Promise(() => {});
    if (script === 'gone')
      return Promise.reject(new SextantError('tool', 'the guest has ended', { hint: 'look' }));
    if (script === 'wrong') return Promise.reject(new SextantError('input', 'the image is not Kairos'));
    onOutput?.('one\n');
    onOutput?.('two\n');
    return Promise.resolve({ code: Number(script.replace('exit ', '')), output: 'one\ntwo\n' });
  },
} as unknown as LabNode;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-test-'));
  control = join(folder, 'control');
  close = await serveControl(control, [node], async () => {});
});
afterEach(async () => {
  close();
  await rm(folder, { recursive: true });
});

test('output comes as it is written, the exit code is the command’s own', async () => {
  const heard: string[] = [];
  const code = await askLab(control, { kind: 'run', node: 'node1', script: 'exit 7' }, never, {
    onOutput: (text) => void heard.push(text),
  });
  expect(code).toBe(7);
  expect(heard).toEqual(['one\n', 'two\n']);
});

test('an error there is an error here', async () => {
  const gone = askLab(control, { kind: 'run', node: 'node1', script: 'gone' }, never);
  await expect(gone).rejects.toMatchObject({ code: 'tool', message: 'the guest has ended', hint: 'look' });
  // Of its own class, which decides the exit code.
  const wrong = askLab(control, { kind: 'run', node: 'node1', script: 'wrong' }, never);
  await expect(wrong).rejects.toMatchObject({ code: 'input', message: 'the image is not Kairos' });
  await expect(askLab(control, { kind: 'run', node: 'node9', script: '' }, never)).rejects.toThrow(
    'no node node9',
  );
});

test('Ctrl-C ends the wait for an answer that does not come', async () => {
  const abort = new AbortController();
  const asked = askLab(control, { kind: 'run', node: 'node1', script: 'hang' }, abort.signal);
  setTimeout(() => abort.abort(new SextantError('interrupted', 'interrupted')), 50);
  await expect(asked).rejects.toMatchObject({ code: 'interrupted' });
});

test('a lab that ends meanwhile, or is not there, is an error', async () => {
  const other = join(folder, 'other');
  const server = createServer((socket) => socket.once('data', () => socket.destroy()));
  await new Promise<void>((listening) => server.listen(other, listening));
  await expect(askLab(other, { kind: 'down' }, never)).rejects.toThrow('the lab ended before it answered');
  server.close();
  await expect(askLab(join(folder, 'none'), { kind: 'down' }, never)).rejects.toThrow();
});
