import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { openErofs } from '../../image/erofs/index.ts';
import { readImage } from '../../image/index.ts';
import { withExtension } from '../../release/extension.ts';
import type { Architecture } from '../../support/architecture.ts';
import type { Stage } from '../stage.ts';

/**
 * A script for a guest that overwrites eight bytes of `program`, which must not be running, in the stored extension and succeeds when
 * reading it then is an error.
 */
export async function overwriteAndRead(
  stage: Stage,
  architecture: Architecture,
  program: string,
): Promise<string> {
  const image = join(stage.lab.releaseFolder, stage.image(architecture).file);
  const store = `$(readlink -f /run/extensions/${stage.extensionName}.sysext.raw)`;
  return `before=$(sha256sum <${program})
printf 'TAMPERED' | dd of="${store}" bs=1 seek=${await middleOf(image, program)} conv=notrunc,fsync 2>/dev/null
sync; echo 3 >/proc/sys/vm/drop_caches
if after=$(sha256sum <${program} 2>/run/sextant-lab/read-error); then
  [ "$before" != "$after" ] && echo 'WRONG BYTES SERVED' || echo 'still cached, not read from the disk'
  exit 1
fi
cat /run/sextant-lab/read-error
grep -q 'Input/output error' /run/sextant-lab/read-error
dmesg | grep -i 'verity.*corrupted'`;
}

/** The largest file of the release's extension for amd64. */
export async function largestFile(stage: Stage): Promise<string> {
  const image = join(stage.lab.releaseFolder, stage.amd64.file);
  return withExtension(image, stage.lab.context, async ({ files }) => {
    let largest = { path: '', size: 0 };
    for await (const { path, kind, size } of files.list()) {
      if (kind === 'file' && size > largest.size) largest = { path, size };
    }
    return largest.path;
  });
}

/** A position in the image from which the middle of a file is read; seen by watching our own reader. */
async function middleOf(file: string, path: string): Promise<number> {
  const { partitions } = await readImage(file);
  const root = partitions.find(({ designator }) => designator === 'root');
  if (root === undefined) throw new Error(`${file} has no root partition`);
  const handle = await open(file, 'r');
  try {
    let position = 0;
    const files = await openErofs(async (offset, length) => {
      position = root.offset + offset + Math.floor(length / 2);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, root.offset + offset);
      return buffer.subarray(0, bytesRead);
    }, root.size);
    const size = (await files.stat(path))?.size ?? 0;
    let seen = 0;
    for await (const piece of files.stream(path)) {
      seen += piece.length;
      if (seen > size / 2) break;
    }
    return position;
  } finally {
    await handle.close();
  }
}
