import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildTree, containerImagesFolder } from '../../src/tree/index.ts';
import { K3S_UPPER, lay, requestFor, scratch } from './fixtures.ts';

let folder: string;
beforeEach(async () => {
  folder = await scratch();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const onNode = '/var/lib/rancher/k3s/agent/images';
const carried = containerImagesFolder('provider-kairos');

async function built(changes: object) {
  const images = await lay(join(folder, 'images'), {
    '/k3s-airgap-images-amd64.tar.zst': { file: 'archive' },
    '/with space.tar': { file: 'another' },
  });
  const components = [
    {
      component: 'k3s-images',
      version: 'v1.36.3+k3s1',
      folder: images,
      files: [{ from: '**', to: carried, mode: '644' }],
    },
  ];
  const request = await requestFor(folder, K3S_UPPER, changes);
  const tree = await buildTree({ ...request, components: [...request.components, ...components] });
  return { tree, conf: await readFile(join(tree.root, 'usr/lib/tmpfiles.d/provider-kairos.conf'), 'utf8') };
}

it('archives of container images are delivered whole and linked where k3s looks, unless something is there', async () => {
  const { tree, conf } = await built({ imagesOnNode: onNode });
  expect(conf.split('\n').filter((line) => line.startsWith('L'))).toEqual([
    `L ${onNode}/k3s-airgap-images-amd64.tar.zst - - - - ${carried}/k3s-airgap-images-amd64.tar.zst`,
    `L "${onNode}/with space.tar" - - - - "${carried}/with space.tar"`,
  ]);
  expect(await readFile(join(tree.root, carried, 'with space.tar'), 'utf8')).toBe('another');
  expect(tree.entries.find(({ path }) => path === `${carried}/with space.tar`)).toMatchObject({
    disposition: 'delivered',
    component: 'k3s-images',
    mode: 0o644,
  });
});

it('without a folder on the node nothing is linked', async () => {
  expect((await built({})).conf).not.toMatch(/^L/m);
});
