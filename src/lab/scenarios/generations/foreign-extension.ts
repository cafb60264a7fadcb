import type { Scenario } from '../types.ts';
import { adoptedNode, SECOND, SEXTANT_NODE, SEXTANT_SAYS, untilGood } from './adopted.ts';
import { nextRelease } from './releases.ts';
import { readyAgain, servedRelease, upgradeByRestart } from './trial.ts';

const FOREIGN = '/var/lib/kairos/extensions/active/foreign.raw';

export const foreignExtension: Scenario = {
  name: 'foreign-extension',
  sentence:
    'the extension of somebody else breaks the merge of a trial: it is named, ours is not condemned and becomes good when the other one is gone',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    await node.run(`head -c 1M /dev/urandom >${FOREIGN}; sync`);
    await upgradeByRestart(stage, node, await servedRelease(stage, await nextRelease(stage)));
    await stage.prove(
      'the one that breaks the merge is named, and the try is given back',
      node,
      `${SEXTANT_SAYS}
until journalctl -b -u sextant-watch -o cat --no-pager | grep -F 'the merge fails because of foreign'; do sleep 2; done
[ "$(sextant_says '.running | "\\(.id) \\(.state) \\(.tries)"')" = '${SECOND} trying 0' ]
[ "$(sextant_says '.running.health[-1].result')" = foreign ]`,
    );
    await node.run(`rm ${FOREIGN}`);
    await node.restart();
    await readyAgain(stage, node);
    await stage.verdict(
      node,
      'without it the trial goes on, with all its tries, and is good',
      `${untilGood(SECOND)}
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
${SEXTANT_NODE} status`,
    );
  },
};
