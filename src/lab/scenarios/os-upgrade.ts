import { join } from 'node:path';
import { coreImage } from '../core/index.ts';
import { readyChecks } from './common.ts';
import type { Scenario } from './types.ts';

export const osUpgrade: Scenario = {
  name: 'os-upgrade',
  sentence:
    'the OS moved forward by the real kairos-agent upgrade, the extension untouched: Ready, same Kubernetes version',
  async run(stage) {
    const ready = await stage.readyDisk();
    const squashfs = join(await coreImage(stage.lab.context), 'rootfs.squashfs');
    const node = await stage.nodeFrom(ready.disk, {
      machine: { moreDisks: [{ file: squashfs, format: 'raw', readOnly: true }] },
    });
    await stage.untilReady(node);
    const asked = ready.server.requests.length;
    const facts = `. /etc/kairos-release; echo "$KAIROS_VERSION $(blkid -s UUID -o value "$(findmnt -no SOURCE /)")"`;
    const before = (await node.run(facts)).trim();
    const store = `find /var/lib/kairos/extensions -exec stat -c '%N %i %Y' {} + | sort`;
    const stored = await node.run(store);
    await stage.prove(
      'kairos-agent upgrade puts the next OS in place',
      node,
      `mkdir -p /run/next/lower /run/next/upper /run/next/work /run/next/root
mount -t tmpfs next /run/next/upper && mkdir /run/next/upper/u /run/next/upper/w
mount -o ro /dev/vdb /run/next/lower
mount -t overlay next -o lowerdir=/run/next/lower,upperdir=/run/next/upper/u,workdir=/run/next/upper/w /run/next/root
sed -i 's/v4\\.1\\.0/v4.1.1/g' /run/next/root/etc/kairos-release /run/next/root/etc/os-release
kairos-agent upgrade --source dir:/run/next/root
umount /run/next/root /run/next/lower`,
    );
    await node.restart();
    await stage.untilReady(node);
    const after = (await node.run(facts)).trim();
    stage.check(
      'another OS runs, with another file system',
      before !== after && after.startsWith('v4.1.1 ') && before.split(' ')[1] !== after.split(' ')[1],
      `${before} then ${after}`,
    );
    stage.check('no file of the store has changed', (await node.run(store)) === stored, stored);
    stage.check(
      'nothing was fetched',
      ready.server.requests.length === asked,
      JSON.stringify(ready.server.requests),
    );
    await stage.verdict(
      node,
      'the same Kubernetes is Ready on the new OS, dm-verity in use',
      `${readyChecks(stage)}\nk3s --version | grep -F 'k3s version ${stage.lab.release.version} '`,
    );
  },
};
