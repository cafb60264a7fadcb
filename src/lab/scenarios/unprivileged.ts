import { readyChecks } from './common.ts';
import { adoptedNode } from './generations/adopted.ts';
import type { Scenario } from './types.ts';

export const unprivilegedUser: Scenario = {
  name: 'unprivileged-user',
  sentence:
    'an unprivileged user cannot place a provider, a cloud-config, an extension, a unit, a record or a check of health anywhere that is read; what the extension carries is read-only to root as well',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    await stage.prove(
      'no folder that is read, and none above it, can be written by the user nobody',
      node,
      `for folder in /system/providers /usr/local/system/providers /usr/lib/kairos/providers \\
  /system/oem /oem /usr/local/cloud-config /usr/share/sextant/cloud-config.d /usr/lib/sextant \\
  /run/sextant /run/extensions /etc/extensions /var/lib/extensions /usr/lib/extensions /usr/local/lib/extensions \\
  /var/lib/kairos/extensions /var/lib/kairos/extensions/active /var/lib/kairos/extensions/sextant \\
  /etc/verity.d /run/verity.d /run/udev/rules.d /etc/udev/rules.d /run/systemd/system /etc/systemd/system \\
  /opt/sextant /opt/sextant/bin /etc/sextant /etc/sextant/health.d; do
  # The folder, or the nearest one above it that exists.
  at=$folder
  while [ ! -d "$at" ]; do at=\${at%/*}; [ -n "$at" ] || at=/; done
  if setpriv --reuid=nobody --regid=nogroup --clear-groups sh -c 'touch "$1/agent-provider-mine" 2>/dev/null' sh "$at"; then
    echo "$folder: nobody wrote into $at"; exit 1
  fi
  case $(stat -L -c '%u %A' "$at") in '0 d'???????-?) ;; *) echo "$at: $(stat -c '%u %A' "$at")"; exit 1 ;; esac
done
[ -x /opt/sextant/bin/sextant-node ]
others=$(find /opt/sextant /etc/sextant ! -type l \\( ! -user root -o -perm /022 \\) 2>/dev/null || true)
[ -z "$others" ] || { echo "not root's alone: $others"; exit 1; }`,
    );
    await stage.prove(
      'root cannot change what the extension carries',
      node,
      `for file in /usr/lib/sextant/activate /usr/lib/kairos/providers/agent-provider-kairos /usr/bin/k3s; do
  [ -e "$file" ]
  if ( : >>"$file" ) 2>/run/sextant-lab/refused; then echo "$file was written"; exit 1; fi
  grep -q 'Read-only file system' /run/sextant-lab/refused
done`,
    );
    await stage.verdict(node, 'the node is as it was', readyChecks(stage));
  },
};
