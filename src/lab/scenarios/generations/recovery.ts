import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SEXTANT_NODE, SEXTANT_SAYS } from './adopted.ts';
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
