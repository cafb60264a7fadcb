/**
 * The first program of the guest. It stands in for immucore: mounts, then runs Kairos' initramfs stage in the real root before its
 * systemd starts, as immucore's does (pkg/state/steps_shared.go, RunStageOp). It links no extensions and makes nothing read-only.
 */
export const INIT = `#!/bin/busybox sh
# Sextant lab, test equipment: stands in for immucore.
/bin/busybox --install -s /bin
export PATH=/bin:/usr/sbin:/usr/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod "/modules/$module.ko"; done
until [ -b /dev/vda2 ]; do sleep 0.1; done
mount /dev/vda2 /root
mount /dev/vda1 /root/oem
mount -t proc proc /root/proc
mount -t sysfs sys /root/sys
mount -t devtmpfs dev /root/dev
mount -t tmpfs -o mode=0755,nosuid,nodev run /root/run
mkdir -p /root/run/cos
echo 1 >/root/run/cos/active_mode
chroot /root /usr/bin/kairos-agent run-stage initramfs
umount /proc /sys /dev
exec switch_root /root /usr/lib/systemd/systemd
`;
