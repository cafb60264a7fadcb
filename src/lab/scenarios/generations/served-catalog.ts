import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addReleases } from '../../../release/catalog/add.ts';
import { createKey } from '../../../release/keys/create.ts';
import type { Stage } from '../../stage.ts';
import type { BuiltRelease } from '../../variant.ts';

/** Addresses of two catalogs that list the same release, and the public key (PEM) that signed the first one only. */
export interface ServedCatalogs {
  readonly own: string;
  readonly foreign: string;
  readonly publicKey: string;
}

/** Makes catalogs of one release, each signed by a key of its own, and serves them beside it to the stage's nodes. */
export async function servedCatalogs(stage: Stage, { folder }: BuiltRelease): Promise<ServedCatalogs> {
  const work = join(stage.folder, 'catalogs');
  await mkdir(work, { recursive: true });
  const keys = { own: '', foreign: '' };
  for (const name of ['own', 'foreign'] as const) {
    const file = join(work, name);
    const key = await createKey({ name: file, commonName: name, bits: 2048, days: 30, encrypt: false });
    keys[name] = await readFile(key.publicKey, 'utf8');
    await addReleases(
      {
        folder: join(work, `${name}-catalog`),
        releases: [folder],
        address: '../release-files',
        key: key.key,
      },
      stage.lab.context,
    );
  }
  const { guestUrl } = await stage.serve({
    'release-files': folder,
    own: join(work, 'own-catalog'),
    foreign: join(work, 'foreign-catalog'),
  });
  return { own: `${guestUrl}/own`, foreign: `${guestUrl}/foreign`, publicKey: keys.own };
}
