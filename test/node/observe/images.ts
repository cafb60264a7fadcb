import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/**
 * A small image of an operating system, made by `mke2fs -t TYPE -b 1024 -d FOLDER IMAGE 192`, with another file system UUID (its last
 * digits) and another version (one digit) where asked for.
 */
export function osImage(type: 'ext2' | 'ext4', uuid = '555555555555', patch = '0'): Buffer {
  const image = gunzipSync(readFileSync(`test/node/observe/fixtures/${type}.img.gz`));
  Buffer.from(uuid, 'hex').copy(image, 1024 + 0x68 + 10);
  for (const name of ['KAIROS_RELEASE', 'KAIROS_VERSION']) {
    image[image.indexOf(`${name}="v4.1.`) + `${name}="v4.1.`.length] = patch.charCodeAt(0);
  }
  return image;
}
