import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SECOND, SEXTANT_NODE, SEXTANT_SAYS, setSettings, THIRD, untilGood } from './adopted.ts';
import { upgradeSystem } from './next-os.ts';
import { brokenRelease } from './releases.ts';
import { readyAgain, servedRelease, upgradeByRestart } from './trial.ts';

export const systemThenExtension: Scenario = {
  name: 'os-then-extension',
  sentence:
    'an OS upgrade that is good, then an extension upgrade that is not: back to the new OS with the extension that was good with it',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    await upgradeSystem(stage, node, 'v4.1.1');
    await node.restart();
    await readyAgain(stage, node);
    await stage.prove('the new OS with the same extension becomes good', node, untilGood(SECOND));
    await setSettings(node, { patienceSeconds: 90 });
    const trial = await upgradeByRestart(stage, node, await servedRelease(stage, await brokenRelease(stage)));
    await node.bootAfter(trial);
    await readyAgain(stage, node);
    await stage.verdict(
      node,
      'the new OS and the extension that was good with it are Ready, data there',
      `${SEXTANT_SAYS}
${readyChecks(stage)}
[ -e /run/cos/active_mode ]
. /etc/kairos-release; [ "$KAIROS_VERSION" = v4.1.1 ]
[ "$(sextant_says '.running | "\\(.id) \\(.state)"')" = '${SECOND} good' ]
[ "$(sextant_says '.generations[] | select(.id == ${THIRD}) | .state')" = bad ]
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
${SEXTANT_NODE} status`,
    );
  },
};
