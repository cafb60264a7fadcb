import type { Scenario } from '../types.ts';
import { adoptedNode, SECOND, SEXTANT_NODE, untilGood } from './adopted.ts';
import { nextRelease } from './releases.ts';
import { readyAgain } from './trial.ts';

/** Soon, but not before an emulated machine has fetched and verified the release. */
const AT_SECONDS = 240;

/** Where nothing but a collector of node_exporter would look. */
const METRICS = '/var/lib/node_exporter/textfile_collector';

/** A file in our part of the store that no generation names. */
const UNNEEDED = `/var/lib/kairos/extensions/sextant/${'0'.repeat(64)}`;

export const nodeCommands: Scenario = {
  name: 'node-commands',
  sentence:
    'what a person does with sextant-node: an upgrade at a set time, a pair pinned, the metrics read, files that nothing needs removed, and the node given back: a plain core node after a restart, the data of the cluster there',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    const next = await nextRelease(stage);
    const { guestUrl } = await stage.serve({ next: next.folder, first: stage.lab.releaseFolder });
    const address = `${guestUrl}/next/release.json`;
    const { bootId } = await node.boot();
    await stage.prove(
      'all programs that sextant-node needs are there; an upgrade is fetched and verified now, for the maintenance window or a time that is set',
      node,
      `${SEXTANT_NODE} doctor
window() { echo "{\\"window\\": {\\"start\\": \\"$(date -d "$1" '+%Y-%m-%d %H:%M:%S')\\", \\"minutes\\": 30}}" >/etc/sextant/settings.json; }
window '+1 hour'
${SEXTANT_NODE} upgrade --to ${address} --window | tee /run/sextant-lab/said
grep -F 'The trial begins at' /run/sextant-lab/said
systemctl stop sextant-upgrade.timer
window '-10 minutes'
${SEXTANT_NODE} upgrade --to ${address} --window --dry-run | tee /run/sextant-lab/said
grep -F 'The maintenance window is open' /run/sextant-lab/said
${SEXTANT_NODE} upgrade --to ${address} --at "$(date -d '+${AT_SECONDS} seconds' '+%Y-%m-%d %H:%M:%S')" | tee /run/sextant-lab/said
grep -F 'The trial begins at' /run/sextant-lab/said
systemctl list-timers --no-pager sextant-upgrade.timer | grep -F sextant-upgrade.service`,
    );
    await node.bootAfter(bootId);
    await readyAgain(stage, node);
    await stage.prove('at that time it went on trial, by a restart, and is good', node, untilGood(SECOND));
    await stage.prove(
      'pinned, no upgrade replaces it; the metrics say what runs; what nothing needs is removed, a pinned pair stays',
      node,
      `mkdir -p ${METRICS}
${SEXTANT_NODE} pin ${SECOND}
grep -x 'sextant_generation ${SECOND}' ${METRICS}/sextant.prom
grep -x 'sextant_generation_state{state="good"} 1' ${METRICS}/sextant.prom
code=0; said=$(${SEXTANT_NODE} upgrade --to ${guestUrl}/first/release.json 2>&1) || code=$?
echo "$said"
[ $code = 8 ]
echo "$said" | grep -F 'is pinned'
${SEXTANT_NODE} unpin ${SECOND}
before=$(ls /var/lib/kairos/extensions/sextant)
mkdir ${UNNEEDED}
echo x >${UNNEEDED}/${stage.extensionName}.sysext.raw
${SEXTANT_NODE} pin 1
${SEXTANT_NODE} gc --dry-run | grep -F 'would remove: ${UNNEEDED} '
[ -e ${UNNEEDED} ]
${SEXTANT_NODE} gc
[ "$(ls /var/lib/kairos/extensions/sextant)" = "$before" ]
${SEXTANT_NODE} unpin 1
${SEXTANT_NODE} gc
[ "$(ls /var/lib/kairos/extensions/sextant)" = ${next.release.images[0]?.sha256} ]`,
    );
    await stage.prove(
      'retired: Kubernetes stops, the extension is gone, and the file that would bring it back is named',
      node,
      `${SEXTANT_NODE} retire --yes | tee /run/sextant-lab/said
[ ! -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]
[ "$(systemctl is-active k3s)" != active ]
file=$(grep -o '/oem/[^ ]*' /run/sextant-lab/said | head -n 1)
[ -n "$file" ]
rm "$file"
sync`,
    );
    await node.restart();
    await stage.verdict(
      node,
      'a plain core node: nothing merged, linked, decided or watched; the data of the cluster is there',
      `until [ "$(systemctl is-active multi-user.target)" = active ]; do sleep 1; done
no command -v k3s
[ -z "$(ls /run/extensions 2>/dev/null)" ]
[ -z "$(dmsetup ls --target verity | grep -v 'No devices')" ]
[ ! -e ${SEXTANT_NODE} ]
[ ! -e /run/sextant ]
[ ! -L /usr/local/system/providers/agent-provider-kairos ]
[ -z "$(find /etc/systemd/system -xtype l)" ]
no sh -c "systemctl list-units --all --plain --no-legend | grep -E 'k3s|sextant-(activate|damaged|watch)'"
[ -d /var/lib/rancher/k3s/server ]`,
    );
  },
};
