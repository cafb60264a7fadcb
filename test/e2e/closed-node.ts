import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Release } from '../../src/release/types.ts';
import { type FakeNode, fakeNode } from '../activation/fake-node.ts';

/**
 * A node in a folder that is given an activation file, and whose script runs in `shell`: a network namespace, say. The script, curl and what checks
 * digests are real; what merges stands in for systemd-sysext. `dist` is the release it is to install, `image` the bytes of its extension.
 */
export async function closedNode(
  shell: readonly string[],
  activation: string,
  dist: string,
): Promise<{ readonly node: FakeNode; readonly image: Buffer }> {
  const { name, images }: Release = JSON.parse(await readFile(join(dist, 'release.json'), 'utf8'));
  const [built] = images;
  if (built === undefined) throw new Error(`${dist}: holds no image`);
  const node = await fakeNode(shell, '/usr/sbin:/usr/bin:/sbin:/bin', { name, rootHash: built.rootHash });
  await node.set('uname', '#!/bin/sh\nexec /bin/uname "$@"\n');
  await node.activateBy(activation);
  return { node, image: await readFile(join(dist, built.file)) };
}
