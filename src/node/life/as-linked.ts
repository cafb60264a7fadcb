import type { Host } from '../host/host.ts';
import { ENABLED_FOLDER } from '../model/paths.ts';
import { linksIn } from '../observe/store.ts';

/** What every link in /run/extensions that leads into our store is held to: the root hash that was stored beside the file. */
export function pinAsLinked(host: Host): void {
  for (const name of Object.keys(linksIn(host, ENABLED_FOLDER))) {
    const image = finalTarget(host, `${ENABLED_FOLDER}/${name}`);
    const match = /^\/var\/lib\/kairos\/extensions\/sextant\/[0-9a-f]{64}\/(.+)\.raw$/.exec(image);
    const rootHash = match && host.readText(image.replace(/raw$/, 'roothash'))?.trim();
    if (!rootHash || !/^[0-9a-f]{64}$/.test(rootHash)) continue;
    const sidecar = `${ENABLED_FOLDER}/${name.replace(/raw$/, 'roothash')}`;
    host.unlink(`${sidecar}.new`);
    host.writeNew(`${sidecar}.new`, rootHash, 0o644);
    host.rename(`${sidecar}.new`, sidecar);
  }
}

/** Where a link leads in the end. */
function finalTarget(host: Host, link: string): string {
  let path = link;
  for (let hops = 0; hops < 8 && host.lstat(path)?.kind === 'link'; hops++) {
    const target = host.readlink(path) ?? '';
    path = target.startsWith('/') ? target : joined(path.slice(0, path.lastIndexOf('/')), target);
  }
  return path;
}

function joined(folder: string, relative: string): string {
  const parts = folder.split('/');
  for (const part of relative.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}
