import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SECOND, SEXTANT_SAYS, setSettings } from './adopted.ts';
import { TAKEN_PORT, upgradeSystem } from './next-os.ts';
import { readyAgain, saidOnConsole } from './trial.ts';

const PATIENCE_SECONDS = 90;

export const brokenSystem: Scenario = {
  name: 'broken-os',
  sentence:
    'an OS upgrade by kairos-agent whose new OS cannot run Kubernetes: the node falls back to the passive slot by itself, with the pair that ran there, Ready again',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    await upgradeSystem(stage, node, 'v4.1.1', TAKEN_PORT);
    await setSettings(node, { patienceSeconds: PATIENCE_SECONDS });
    await node.restart();
    const { bootId: trial } = await node.boot();
    await stage.prove(
      'the new OS is recognised, and the extension that was good is on trial with it',
      node,
      `${SEXTANT_SAYS}
[ -e /run/cos/active_mode ]
. /etc/kairos-release; [ "$KAIROS_VERSION" = v4.1.1 ]
[ "$(sextant_says '.running | "\\(.id) \\(.state) \\(.tries)"')" = '${SECOND} trying 1' ]`,
    );
    await node.bootAfter(trial);
    await readyAgain(stage, node);
    for (const line of await saidOnConsole(stage, node)) stage.say(`| ${line}`);
    await stage.verdict(
      node,
      'the passive slot runs the OS and the extension that were good together, Ready, data there; the new pair is bad and says why',
      `${SEXTANT_SAYS}
${readyChecks(stage)}
[ -e /run/cos/passive_mode ]
. /etc/kairos-release; [ "$KAIROS_VERSION" = v4.1.0 ]
[ "$(sextant_says '.running | "\\(.id) \\(.state)"')" = '1 good' ]
[ "$(sextant_says '.generations[] | select(.id == ${SECOND}) | .state')" = bad ]
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
/opt/sextant/bin/sextant-node status`,
    );
  },
};
