import { ACTIVATION_FILE } from '../stage.ts';
import type { Scenario } from './types.ts';

export const deactivation: Scenario = {
  name: 'deactivation',
  sentence:
    'deactivated as the documentation says: a plain core node again, nothing of ours left but the data of the cluster',
  async run(stage) {
    const { node } = await stage.readyNode();
    await node.run(deactivationCommands(stage.extensionName));
    await node.restart();
    await stage.prove(
      'the node has started',
      node,
      `until [ "$(systemctl is-active multi-user.target)" = active ]; do sleep 1; done`,
    );
    await stage.verdict(
      node,
      'no extension, no Kubernetes, no unit, link or file of ours; the data of the cluster is there',
      `no command -v k3s
[ -z "$(ls /run/extensions 2>/dev/null)" ]
[ ! -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]
[ -z "$(dmsetup ls --target verity | grep -v 'No devices')" ]
[ -z "$(find /var/lib/kairos/extensions ! -type d)" ]
[ ! -e /run/sextant ]
[ -z "$(find /etc /run/systemd /usr/local /opt /var/lib/kairos -xdev -iname '*sextant*' ! -name '*sextant-lab*' 2>/dev/null)" ]
[ ! -L /usr/local/system/providers/agent-provider-kairos ]
[ -z "$(find /etc/systemd/system -xtype l)" ]
no sh -c "systemctl list-units --all --plain --no-legend | grep -E 'k3s|sextant-(activate|damaged)'"
[ -z "$(systemctl --failed --plain --no-legend)" ]
[ -d /var/lib/rancher/k3s/server ]`,
    );
  },
};

/** The commands of docs/activation.md, "Deactivating"; a test holds the two against each other. */
export function deactivationCommands(extensionName: string): string {
  return `systemctl disable --now k3s k3s-agent k0scontroller k0sworker 2>/dev/null
rm -f /oem/${ACTIVATION_FILE}
rm -f /var/lib/kairos/extensions/*/${extensionName}.sysext.raw
rm -rf /var/lib/kairos/extensions/sextant
rm -f /usr/local/system/providers/agent-provider-kairos
rm -rf /etc/systemd/system/k3s.service.d /etc/systemd/system/k3s-agent.service.d /usr/local/.kairos
`;
}
