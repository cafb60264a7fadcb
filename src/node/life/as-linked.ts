import { replaceRuntimeFile } from '../files.ts';
import type { Host } from '../host/host.ts';
import { ENABLED_FOLDER, rootHashFile } from '../model/paths.ts';
import { finalTarget, linksIn } from '../observe/store.ts';

/** What every link in /run/extensions that leads into our store is held to: the root hash that was stored beside the file. */
export function pinAsLinked(host: Host): void {
  for (const name of Object.keys(linksIn(host, ENABLED_FOLDER))) {
    const link = `${ENABLED_FOLDER}/${name}`;
    const image = finalTarget(host, link);
    const match = /^\/var\/lib\/kairos\/extensions\/sextant\/[0-9a-f]{64}\/(.+)\.raw$/.exec(image);
    const rootHash = match && host.readText(rootHashFile(image))?.trim();
    if (rootHash && /^[0-9a-f]{64}$/.test(rootHash)) replaceRuntimeFile(host, rootHashFile(link), rootHash);
  }
}
