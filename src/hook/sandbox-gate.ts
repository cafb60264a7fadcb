// A program of its own (tools/bundle.mjs), started by the sandbox's setup script inside the new namespaces and outside the sandbox's
// root: it leads the sandbox's only port to the recording proxy on the host, sends the events, and tidies the upper layer up.
import { readFileSync, writeFileSync, writeSync } from 'node:fs';
import { access, chmod, lstat, mkdir, readdir, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { run } from '../support/subprocess.ts';
import { type ForeignMode, isProgramFor, wrapperScript } from './foreign.ts';
import type { GateMessage, GateOrders } from './gate-messages.ts';
import { decodeResponse, type EncodedEvent, LARGEST_RESPONSE } from './protocol.ts';
import { ENTER, SETUP_STEP } from './sandbox-scripts.ts';
import { plainUpper, removedPaths } from './upper-layer.ts';

const FOREVER_SECONDS = 2_000_000; // The host ends a sandbox that takes too long.
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

function say(message: GateMessage): void {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let written = 0; written < bytes.length; ) written += writeSync(1, bytes, written);
}

async function openPort(orders: GateOrders): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const proxy = connect({ path: orders.proxy, allowHalfOpen: true });
    const end = () => {}; // Either side may leave when it likes; pipeline closes the other.
    pipeline(client, proxy, end);
    pipeline(proxy, client, end);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(orders.port, '127.0.0.1', resolve);
  });
}

/** Sends one event; true when the plug-in answered with success. */
async function send(orders: GateOrders, event: EncodedEvent): Promise<boolean> {
  const { name, stdin, file } = event;
  if (file !== undefined) writeFileSync(join('merged', file.path), file.content);
  say({ kind: 'event', name, sent: stdin });
  let entered = true;
  try {
    const namespaces = ['--mount', '--pid', '--fork', '--kill-child'];
    const result = await run(
      'unshare',
      [...namespaces, '--', 'sh', '-c', ENTER, 'sh', orders.path, orders.plugin, name],
      {
        env: { ...orders.environment, PATH: process.env.PATH ?? orders.path },
        input: stdin,
        okCodes: ANY_CODE,
        timeoutSeconds: FOREVER_SECONDS,
        keepBytes: LARGEST_RESPONSE + 1,
        onOutput: (piece, stream) => {
          if (stream === 'stdout') return;
          entered &&= !piece.includes(`${SETUP_STEP} enter`);
          say({ kind: 'output', name, data: piece.toString('base64') });
        },
      },
    );
    if (!entered) throw new Error(`no program can be started in it: ${result.stderr.toString().trim()}`);
    const answer = result.stdout.subarray(0, LARGEST_RESPONSE + 1);
    say({ kind: 'answer', name, code: result.code, data: answer.toString('base64') });
    return result.code === 0 && decodeResponse(name, answer).state === 'success';
  } catch (error) {
    if (!entered) throw error;
    say({ kind: 'killed', name, reason: error instanceof Error ? error.message : String(error) });
    return false;
  }
}

/** Puts a wrapper in front of every program of the foreign architecture below `layer`, by bind mounts that leave no trace. */
async function wrapPrograms(layer: string, foreign: NonNullable<GateOrders['foreign']>): Promise<void> {
  let count = 0;
  const visit = async (path: string): Promise<void> => {
    for (const entry of await readdir(join(layer, path), { withFileTypes: true })) {
      const inside = `${path}/${entry.name}`;
      if (entry.isDirectory()) await visit(inside);
      if (!entry.isFile()) continue;
      const stat = await lstat(join(layer, inside));
      if ((stat.mode & 0o111) === 0 || !(await isProgramFor(join(layer, inside), foreign.architecture)))
        continue;
      count += 1;
      const own = `${layer.replaceAll(/\W/g, '')}-${count}`;
      const wrapper = join('sextant', `wrapper-${own}`);
      const program = join('run/sextant/foreign', own);
      await writeFile(wrapper, wrapperScript(foreign.emulator, `/${program}`));
      await chmod(wrapper, 0o755);
      await writeFile(join('sextant/foreign', own), '');
      await run('mount', ['-n', '--bind', join('merged', inside), join('merged', program)]);
      await run('mount', ['-n', '--bind', wrapper, join('merged', inside)]);
      say({ kind: 'wrapped', path: inside });
    }
  };
  await visit('');
}

async function foreignMode(orders: GateOrders): Promise<ForeignMode | undefined> {
  if (orders.foreign === undefined) return undefined;
  const isPrivate = await access('private-binfmt').then(
    () => true,
    () => false,
  );
  return isPrivate ? 'private' : orders.foreign.otherwise;
}

async function main(file: string): Promise<void> {
  const orders = JSON.parse(readFileSync(file, 'utf8')) as GateOrders;
  await openPort(orders);
  const mode = await foreignMode(orders);
  say({ kind: 'started', ...(mode === undefined ? {} : { foreign: mode }) });
  const wrap = async (layer: string) => {
    if (mode === 'wrappers' && orders.foreign !== undefined) await wrapPrograms(layer, orders.foreign);
  };
  await mkdir('sextant/foreign', { recursive: true });
  await wrap('stage');
  for (const [index, event] of orders.events.entries()) {
    if (index > 0) await wrap('../upper');
    if (!(await send(orders, event))) break;
  }
  const removed = await removedPaths('../upper', 'root', 'merged');
  // Afterwards the upper layer may be changed behind the overlay's back.
  await run('umount', ['-n', '--recursive', '--lazy', 'merged']);
  await plainUpper('../upper');
  say({ kind: 'finished', removed });
}

main(process.argv[2] ?? '').then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`sextant's gate: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
