import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Channel, openChannel } from '../../src/lab/machine/channel.ts';

// The other end is a guest: here a socket that speaks as the guest's script does.
let folder: string;
let server: Server;
let guest: Socket;
let channel: Channel;
const asked: { id: string; script: string }[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-test-'));
  server = createServer();
  server.listen(join(folder, 'socket'));
  await once(server, 'listening');
  channel = openChannel(join(folder, 'socket'));
  [guest] = (await once(server, 'connection')) as [Socket];
  asked.length = 0;
  createInterface({ input: guest }).on('line', (line) => {
    const [id = '', script = ''] = line.split(' ');
    if (script === '') return; // "Who is there?"
    asked.push({ id, script: Buffer.from(script, 'base64').toString() });
    guest.emit('asked');
  });
});
afterEach(async () => {
  channel.close();
  guest.destroy();
  server.close();
  await rm(folder, { recursive: true });
});

const say = (line: string) => guest.write(`${line}\n`);
const base64 = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('base64');
const isAsked = (count: number) =>
  (async () => {
    while (asked.length < count) await once(guest, 'asked');
  })();

test('a script goes in, its output and exit code come out, several at once', async () => {
  say('hello boot-1 12.5');
  expect(await channel.greeting()).toMatchObject({ bootId: 'boot-1', uptime: 12.5 });
  const heard: string[] = [];
  const [first, second] = [channel.run('echo ü\nexit 3', (text) => heard.push(text)), channel.run('true')];
  await isAsked(2);
  expect(asked.map(({ script }) => script)).toEqual(['echo ü\nexit 3', 'true']);
  say(`done ${asked[1]?.id} 0`);
  // A character that is cut in two arrives whole.
  const bytes = Buffer.from('ü\n');
  say(`out ${asked[0]?.id} ${base64(bytes.subarray(0, 1))}`);
  say(`out ${asked[0]?.id} ${base64(bytes.subarray(1))}`);
  say(`done ${asked[0]?.id} 3`);
  expect(await second).toEqual({ code: 0, output: '' });
  expect(await first).toEqual({ code: 3, output: 'ü\n' });
  expect(heard.join('')).toBe('ü\n');
});

test('a restart ends what was asked before it, and the next boot is seen', async () => {
  say('hello boot-1 1');
  await channel.greeting();
  const next = channel.bootAfter('boot-1');
  const running = channel.run('sleep 100');
  await isAsked(1);
  say('hello boot-2 2');
  await expect(running).rejects.toThrow('the guest restarted before it answered');
  expect(await next).toMatchObject({ bootId: 'boot-2', uptime: 2 });
});

test('a guest that ends is an error for everyone who waits', async () => {
  const greeting = channel.greeting();
  const running = channel.run('true');
  guest.destroy();
  await expect(greeting).rejects.toThrow('ended');
  await expect(running).rejects.toThrow('the guest ended before it answered');
  await expect(channel.run('true')).rejects.toThrow('the guest has ended');
});

test('noise on the port is passed over', async () => {
  say('done 99 0');
  say('out 99 eA==');
  say('');
  say('hello boot-1 1');
  expect((await channel.greeting()).bootId).toBe('boot-1');
});
