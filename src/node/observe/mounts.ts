import type { Host } from '../host/host.ts';

/** One line of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export interface Mount {
  /** `7:0`. */
  readonly device: string;
  readonly point: string;
  readonly type: string;
  readonly source: string;
}

/** The mounts below this process' root, in the order they were made: in a chroot too. */
export function mounts(host: Host): Mount[] {
  const text = host.readText('/proc/self/mountinfo') ?? '';
  return text.split('\n').flatMap((line) => {
    const words = line.split(' ');
    const end = words.indexOf('-', 6);
    if (end === -1) return [];
    const [, , device = '', , point = ''] = words;
    return [
      {
        device,
        point: unescaped(point),
        type: words[end + 1] ?? '',
        source: unescaped(words[end + 2] ?? ''),
      },
    ];
  });
}

/** The mount that is visible at a path, if it is a mount point. */
export function mountAt(host: Host, point: string): Mount | undefined {
  return mounts(host).findLast((mount) => mount.point === point);
}

/** Path of a block device by its numbers, as the kernel names it. */
export function devicePath(host: Host, device: string): string | undefined {
  const name = /^DEVNAME=(.+)$/m.exec(host.readText(`/sys/dev/block/${device}/uevent`) ?? '')?.[1];
  return name === undefined ? undefined : `/dev/${name}`;
}

/** Spaces and the like are written as octal numbers. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
