import type { Scenario } from '../types.ts';
import { adoptedNode, SECOND, SETTINGS, SEXTANT_NODE, SEXTANT_SAYS } from './adopted.ts';
import { brokenRelease } from './releases.ts';
import { servedRelease, upgradeByRestart } from './trial.ts';

export const cleanPowerOffs: Scenario = {
  name: 'clean-power-offs',
  sentence:
    'a node that is switched off in an orderly way during a trial, more often than it has tries: no try is lost',
  async run(stage) {
    const { node: first } = await adoptedNode(stage);
    await upgradeByRestart(stage, first, await servedRelease(stage, await brokenRelease(stage)));
    let node = first;
    const trying = `${SEXTANT_SAYS}
[ "$(sextant_says '.running | "\\(.id) \\(.state) \\(.tries)"')" = '${SECOND} trying 1' ]`;
    const starts = SETTINGS.tries + 1;
    for (let start = 1; start <= starts; start++) {
      await stage.prove(`start ${start}: on trial, try 1 of ${SETTINGS.tries}`, node, trying);
      await node.run(`until systemctl is-active --quiet sextant-watch; do sleep 1; done`);
      await node.powerOff();
      node = await stage.bootAgain(node);
      await node.boot();
    }
    await stage.verdict(node, 'it is still on its first try', `${trying}\n${SEXTANT_NODE} status`);
  },
};
