import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SEXTANT_NODE, SEXTANT_SAYS, setSettings, untilGood } from './adopted.ts';
import { readyAgain } from './trial.ts';

export const recoveryAndBack: Scenario = {
  name: 'recovery',
  sentence:
    'a boot of the recovery system: nothing is merged, decided or counted there; afterwards the good pair is Ready',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    const records = (await node.run('sha256sum </opt/sextant/records/generations.json')).trim();
    await node.run('kairos-agent bootentry --select recovery && sync');
    await node.restart();
    await stage.prove(
      'the recovery system runs, without extension and without sextant-node',
      node,
      `[ -e /run/cos/recovery_mode ]
[ ! -e /run/sextant/boot.json ]
[ ! -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]
mkdir -p /run/persistent && mount -o ro /dev/disk/by-label/COS_PERSISTENT /run/persistent
[ "$(find /run/persistent -path '*sextant/records/generations.json' -exec sha256sum {} + | cut -d' ' -f1)" = '${records.split(' ')[0]}' ]
umount /run/persistent`,
    );
    await node.restart();
    await readyAgain(stage, node);
    await stage.verdict(
      node,
      'back in the active slot the good pair is Ready',
      `${SEXTANT_SAYS}
${readyChecks(stage)}
[ "$(sextant_says '.running | "\\(.id) \\(.state)"')" = '1 good' ]
${SEXTANT_NODE} status`,
    );
  },
};

/** Two images of the operating system are written again, emulated. */
const RESET_SECONDS = 1800;

export const reset: Scenario = {
  name: 'reset',
  sentence:
    'a reset by the real kairos-agent, which empties the persistent partition: the node begins anew from what is in /oem, Ready and taken over again, and nobody touched it',
  async run(stage) {
    const { node, server } = await adoptedNode(stage);
    await setSettings(node, { adopt: true });
    const before = server.requests.length;
    await node.run('kairos-agent bootentry --select statereset && sync');
    await node.restart();
    await stage.prove(
      'the reset system runs, without extension and without sextant-node',
      node,
      `[ -e /run/cos/autoreset_mode ]
[ ! -e /run/sextant/boot.json ]
[ ! -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]`,
    );
    const { bootId } = await node.boot();
    await node.bootAfter(bootId, RESET_SECONDS);
    await readyAgain(stage, node);
    stage.check(
      'the extension was fetched again',
      server.requests.slice(before).some(({ path }) => path.endsWith('.raw')),
      server.requests
        .slice(before)
        .map(({ path }) => path)
        .join(' ') || 'no request',
    );
    await stage.verdict(
      node,
      'the new node is Ready without the data of the old one, and its first pair becomes good',
      `${untilGood(1)}
${readyChecks(stage)}
[ -e /run/cos/active_mode ]
[ "$(sextant_says '.generations | length')" = 1 ]
k3s kubectl get configmap -o name >/run/sextant-lab/there
grep -qx configmap/kube-root-ca.crt /run/sextant-lab/there
grep -qx configmap/kept /run/sextant-lab/there && exit 1
${SEXTANT_NODE} status`,
    );
  },
};
