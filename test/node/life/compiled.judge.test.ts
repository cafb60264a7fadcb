import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { nodeProgram } from '../../../src/release/node-program/index.ts';
import { compilingContext, thisMachine } from '../compiled.ts';
import { folder, put } from '../rooted-host.ts';
import { forgetGoodNode, goodNode, linked, pairOf, powerOn, upgraded } from './played-node.ts';

// A static one: nothing but it and sextant-node is in the node's root.
const BUSYBOX = '/bin/busybox';
afterAll(forgetGoodNode);

test.skipIf(!existsSync(BUSYBOX) || process.getuid?.() !== 0)(
  'the compiled program decides a boot as the tests’ host does, with nothing but a few programs around it (needs root and busybox-static)',
  async () => {
    const { file } = await nodeProgram(compilingContext(), thisMachine, thisMachine);
    const node = goodNode();
    upgraded(node, 'second broken');
    const program = join(node.root, '/opt/sextant/bin/sextant-node');
    copyFileSync(file, program);
    chmodSync(program, 0o755);
    folder(node, '/usr/bin');
    copyFileSync(BUSYBOX, join(node.root, '/usr/bin/busybox'));
    for (const name of ['sha256sum', 'tee']) symlinkSync('busybox', join(node.root, '/usr/bin', name));
    put(node, '/dev/null');
    const ran: (string | undefined)[] = [];
    let milliseconds = 0;
    for (let boots = 0; boots < 4; boots++) {
      powerOn(node, () => {
        const began = performance.now();
        const { status, stderr, stdout } = spawnSync(
          'chroot',
          [node.root, '/opt/sextant/bin/sextant-node', 'boot'],
          { encoding: 'utf8' },
        );
        milliseconds = Math.max(milliseconds, performance.now() - began);
        expect(status, stderr).toBe(0);
        expect(stdout).toMatch(/^sextant: generation \d/);
      });
      ran.push(linked(node));
    }
    expect(ran).toEqual(['second broken', 'second broken', 'second broken', 'first works']);
    expect(pairOf(node, 'second broken')).toMatchObject({ state: 'bad', tries: 3 });
    expect(JSON.parse(node.readText('/run/sextant/boot.json') ?? '')).toMatchObject({
      runs: 1,
      problem: null,
    });
    console.log(`a boot decided in ${Math.round(milliseconds)} ms at most`);
  },
);
