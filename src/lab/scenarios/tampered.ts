import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { openErofs } from '../../image/erofs/index.ts';
import { readImage } from '../../image/index.ts';
import { readyChecks } from './common.ts';
import type { Scenario } from './types.ts';

export const tamperedFile: Scenario = {
  name: 'tampered-file',
  sentence:
    'dm-verity is in use; eight bytes overwritten in the stored file, inside the largest program and read uncached, are never served; after a restart the console and the unit say which extension is bad and why',
  async run(stage) {
    const { node } = await stage.readyNode();
    await stage.prove('dm-verity is in use with the root hash of the release', node, readyChecks(stage));
    const store = `$(readlink -f /run/extensions/${stage.extensionName}.sysext.raw)`;
    const program = '/usr/bin/k3s';
    const image = stage.lab.release.images.find(({ architecture }) => architecture === 'amd64');
    const position = await middleOf(join(stage.lab.releaseFolder, image?.file ?? ''), program);
    await stage.prove(
      `eight bytes of ${program} overwritten on the disk: reading it is an error, never another byte`,
      node,
      `before=$(sha256sum <${program})
systemctl stop k3s
printf 'TAMPERED' | dd of="${store}" bs=1 seek=${position} conv=notrunc,fsync 2>/dev/null
sync; echo 3 >/proc/sys/vm/drop_caches
if after=$(sha256sum <${program} 2>/run/sextant-lab/read-error); then
  [ "$before" != "$after" ] && echo 'WRONG BYTES SERVED' || echo 'still cached, not read from the disk'
  exit 1
fi
cat /run/sextant-lab/read-error
grep -q 'Input/output error' /run/sextant-lab/read-error
dmesg | grep -i 'verity.*corrupted'`,
    );
    await node.restart();
    await node.machine.channel.greeting();
    await stage.verdict(
      node,
      'after a restart nothing of it runs, and console and unit say which extension is damaged',
      `tries=0
until journalctl -b -u sextant-damaged --no-pager -o cat | grep -F '${stage.extensionName}'; do
  tries=$((tries + 1)); [ $tries -lt 300 ]
  sleep 1
done
! systemctl is-active k3s`,
    );
    const shown = await stage.consoleOf(node);
    stage.check(
      'the console says it too',
      shown.includes(`the extension ${stage.extensionName} is damaged`),
      shown.slice(-2000),
    );
  },
};

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
