import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ACTIVATION_FILE } from '../stage.ts';
import { readyChecks } from './common.ts';
import type { Scenario } from './types.ts';

/** Makes the merge of every boot take 20 seconds longer, as a slow disk or a busy udev does. */
const SLOW = `#cloud-config
# Sextant lab, test equipment: a node on which the merge of extensions takes 20 seconds more.
stages:
  initramfs:
  - name: Sextant lab slow merge
    files:
    - path: /run/systemd/system/systemd-sysext.service.d/00-sextant-lab-slow.conf
      permissions: 0644
      content: |
        [Service]
        ExecStartPre=/bin/sleep 20
`;

/** The founding document's activation, unchanged but for the address. */
export function foundingActivation(url: string): string {
  return `#cloud-config
stages:
  network:
    - name: "Install the provider-kairos extension (once)"
      if: '[ ! -e /var/lib/kairos/extensions/provider-kairos.sysext.raw ]'
      commands:
        - kairos-agent sysext install ${url}
    - name: "Enable the extension and link the provider plugin"
      commands:
        - kairos-agent sysext enable --active --now provider-kairos
        - mkdir -p /usr/local/system/providers
        - ln -sf /usr/local/bin/agent-provider-kairos /usr/local/system/providers/agent-provider-kairos
k3s:
  enabled: true
`;
}

const STARTED = `until [ "$(systemctl is-active multi-user.target)" = active ]; do sleep 1; done
until [ "$(systemctl is-active kairos-agent)" != activating ]; do sleep 1; done
sleep 30`;

const NOT_MERGED = `[ ! -e /usr/lib/extension-release.d/extension-release.provider-kairos ]
no command -v k3s
ls -l /run/extensions/
journalctl -b -u systemd-sysext --no-pager -o cat | grep -iE 'timed out|timeout'`;

export const slowMerge: Scenario = {
  name: 'slow-merge',
  sentence:
    'where the merge takes 20 seconds: Ready on the first boot and on the next; the founding activation, unchanged, stays without Kubernetes on both',
  async run(stage) {
    // The file name that the founding activation counts on.
    const folder = join(stage.folder, 'founding');
    await mkdir(folder);
    await symlink(
      join(stage.lab.releaseFolder, stage.amd64.file),
      join(folder, 'provider-kairos.sysext.raw'),
    );
    const server = await stage.serve({ founding: folder });
    const founding = await stage.node({
      [ACTIVATION_FILE]: foundingActivation(`${server.guestUrl}/founding/provider-kairos.sysext.raw`),
      '98_slow.yaml': SLOW,
    });
    await stage.prove(
      'the founding activation: the merge is killed, no Kubernetes on the first boot',
      founding,
      `${STARTED}\n${NOT_MERGED}`,
    );
    await founding.restart();
    await stage.prove('the founding activation: nor on the next', founding, `${STARTED}\n${NOT_MERGED}`);
    await founding.stop();
    const node = await stage.node({
      [ACTIVATION_FILE]: await stage.activation(server),
      '98_slow.yaml': SLOW,
    });
    await stage.untilReady(node);
    await node.restart();
    await stage.untilReady(node);
    await stage.verdict(
      node,
      'ours: Ready on the next boot as well, the merge took its 20 seconds',
      `${readyChecks(stage)}
at() { systemctl show --property="$1" --value systemd-sysext; }
took=$(( $(at ExecMainExitTimestampMonotonic) - $(at InactiveExitTimestampMonotonic) ))
echo "the merge took $((took / 1000000)) s"
[ $took -ge 20000000 ]`,
    );
  },
};
