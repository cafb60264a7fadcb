import { join } from 'node:path';
import { coreImage } from '../../core/index.ts';
import { plugDisk } from '../../machine/machine.ts';
import type { LabNode } from '../../node.ts';
import type { Stage } from '../../stage.ts';

/**
 * Puts the next version of the operating system in place by the real kairos-agent, changed by shell lines that see its root in `$next`; it
 * is booted by the next restart.
 */
export async function upgradeSystem(
  stage: Stage,
  node: LabNode,
  version: string,
  change = '',
): Promise<void> {
  const squashfs = join(await coreImage(stage.lab.context), 'rootfs.squashfs');
  await plugDisk(node.machine, squashfs, 'nextos');
  await stage.prove(
    `kairos-agent upgrade puts the operating system ${version} in place`,
    node,
    `next=/run/next/root
until [ -e /dev/disk/by-id/virtio-nextos ]; do sleep 0.2; done
mkdir -p /run/next/lower /run/next/upper $next
mount -t tmpfs next /run/next/upper && mkdir /run/next/upper/u /run/next/upper/w
mount -o ro /dev/disk/by-id/virtio-nextos /run/next/lower
mount -t overlay next -o lowerdir=/run/next/lower,upperdir=/run/next/upper/u,workdir=/run/next/upper/w $next
sed -i 's/v4\\.1\\.0/${version}/g' $next/etc/kairos-release $next/etc/os-release
${change}
kairos-agent upgrade --source dir:$next
umount $next /run/next/lower`,
  );
}

/** Another program on etcd's port, from the boot on: no Kubernetes can start beside it. */
export const TAKEN_PORT = `mkdir -p $next/usr/lib/systemd/system/sockets.target.wants
printf '[Unit]\\nDescription=A service of this system on port 2379\\n[Socket]\\nListenStream=127.0.0.1:2379\\nAccept=yes\\n[Install]\\nWantedBy=sockets.target\\n' >$next/usr/lib/systemd/system/taken.socket
printf '[Service]\\nExecStart=/bin/cat\\nStandardInput=socket\\n' >$next/usr/lib/systemd/system/taken@.service
ln -s ../taken.socket $next/usr/lib/systemd/system/sockets.target.wants/taken.socket`;
