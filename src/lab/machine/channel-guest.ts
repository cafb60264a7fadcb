/** Name of the virtio serial port between the lab and a guest. */
export const CHANNEL_NAME = 'org.sextant.lab';

/**
 * The guest's end: finds the port, greets, runs each script that comes and answers. POSIX shell, since a core image has little else.
 * Several scripts may run at once.
 */
const SCRIPT = `#!/bin/sh
# Part of the Sextant lab (test equipment): runs what the lab sends, as root.
modprobe virtio_console 2>/dev/null
port=
while [ -z "$port" ]; do
  for name in /sys/class/virtio-ports/*/name; do
    [ "$(cat "$name" 2>/dev/null)" = ${CHANNEL_NAME} ] || continue
    device=\${name%/name}; device=/dev/\${device##*/}
    [ -c "$device" ] && port=$device
  done
  [ -n "$port" ] || sleep 0.2
done
work=/run/sextant-lab
mkdir -p "$work"
exec 3<>"$port"
# line WORDS [FILE]: one message to the host, whole: the words, then the file's bytes in base64.
line() { ( flock 9; printf '%s' "$1"; if [ -n "\${2:-}" ]; then printf ' '; base64 -w0 "$2"; fi; echo ) 9>"$work/lock" >&3; }
hello() { line "hello $(cat /proc/sys/kernel/random/boot_id) $(cut -d' ' -f1 /proc/uptime)"; }
hello
while IFS=' ' read -r id script <&3; do
  # A host that has just come (the guest was saved with its memory) asks who is there.
  [ -n "$script" ] || { hello; continue; }
  (
    at=$work/$id
    printf %s "$script" | base64 -d >"$at.sh"
    { sh "$at.sh" </dev/null 2>&1 3>&-; echo $? >"$at.code"; } |
      while dd bs=65536 count=1 of="$at.out" 2>/dev/null && [ -s "$at.out" ]; do line "out $id" "$at.out"; done
    line "done $id $(cat "$at.code")"
    rm -f "$at.sh" "$at.out" "$at.code"
  ) &
done
`;

const UNIT = `[Unit]
Description=Sextant lab (test equipment): channel to the host
DefaultDependencies=no
After=systemd-remount-fs.service
Conflicts=shutdown.target
[Service]
ExecStart=/bin/sh /run/sextant-lab/channel
Restart=always
RestartSec=1
KillMode=process
`;

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** The files of the guest's end, as yip writes them (base64: yip runs plain content through Go's templates). */
function files(): string {
  const file = (path: string, mode: string, content: string) =>
    `    - path: ${path}\n      permissions: ${mode}\n      encoding: base64\n      content: ${base64(content)}\n`;
  return (
    file('/run/sextant-lab/channel', '0700', SCRIPT) +
    file('/run/systemd/system/sextant-lab.service', '0644', UNIT)
  );
}

/**
 * Cloud-config that opens the channel: before the merge on an installed node (so that what happens there can be seen), in the network
 * stage of a live system, which has no user-data earlier. Everything of it is under /run.
 */
export function channelCloudConfig(): string {
  return `#cloud-config
# Sextant lab, test equipment: a channel by which the lab looks into this node. Not part of what Sextant puts on a node.
stages:
  initramfs:
  - name: Sextant lab channel
    files:
${files()}    commands:
    - mkdir -p /run/systemd/system/sysinit.target.wants && ln -sf ../sextant-lab.service /run/systemd/system/sysinit.target.wants/
  network:
  - name: Sextant lab channel of a live system
    if: '[ -e /run/cos/live_mode ] && [ ! -e /run/sextant-lab/channel ]'
    files:
${files()}    commands:
    - systemctl daemon-reload && systemctl start --no-block sextant-lab
`;
}
