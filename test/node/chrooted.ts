import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { nodeProgram } from '../../src/release/node-program/index.ts';
import { compilingContext, thisMachine } from './compiled.ts';
import { folder, put, type RootedHost } from './rooted-host.ts';

// A static one: nothing but it and sextant-node is in the node's root.
const BUSYBOX = '/bin/busybox';

/** Whether the compiled program can run in a node's folder as its root. */
export const canChroot = existsSync(BUSYBOX) && process.getuid?.() === 0;

/** Puts the compiled program where adoption puts it, and programs of busybox under these names. */
export async function withPrograms(node: RootedHost, names: readonly string[]): Promise<void> {
  const { file } = await nodeProgram(compilingContext(), thisMachine, thisMachine);
  const program = join(node.root, '/opt/sextant/bin/sextant-node');
  copyFileSync(file, program);
  chmodSync(program, 0o755);
  folder(node, '/usr/bin');
  copyFileSync(BUSYBOX, join(node.root, '/usr/bin/busybox'));
  for (const name of names) symlinkSync('busybox', join(node.root, '/usr/bin', name));
  put(node, '/dev/null');
}

/** Runs the compiled program with the node's folder as its root. */
export function runChrooted(node: RootedHost, command: string): SpawnSyncReturns<string> {
  return spawnSync('chroot', [node.root, '/opt/sextant/bin/sextant-node', command], { encoding: 'utf8' });
}
