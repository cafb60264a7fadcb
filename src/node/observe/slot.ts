import type { Host } from '../host/host.ts';
import type { Slot } from '../model/types.ts';

const SENTINELS = '/run/cos';

/** The slot that immucore says is booted (immucore, WriteSentinelDagStep). Boots that are no usual ones come first: they may set two. */
export function bootedSlot(host: Host): Slot {
  const is = (mode: string) => host.stat(`${SENTINELS}/${mode}_mode`) !== undefined;
  if (is('recovery')) return 'recovery';
  if (is('autoreset') || is('live') || is('uki_install') || is('in_ram')) return 'none';
  if (is('active')) return 'active';
  return is('passive') ? 'passive' : 'none';
}

/** The real root's manager has not started yet (initrd-release(5)): PID 1 is that of the initramfs. */
export function inInitramfs(host: Host): boolean {
  return host.stat('/proc/1/root/etc/initrd-release') !== undefined;
}

export function bootId(host: Host): string {
  return (host.readText('/proc/sys/kernel/random/boot_id') ?? '').trim();
}
