import type { LabNode } from '../../node.ts';
import type { Stage } from '../../stage.ts';
import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, FOURTH, SECOND, SEXTANT_NODE, SEXTANT_SAYS, THIRD, untilGood } from './adopted.ts';
import { upgradeSystem } from './next-os.ts';
import { afterNextRelease, nextRelease } from './releases.ts';
import { readyAgain, servedRelease } from './trial.ts';

export const passiveByHand: Scenario = {
  name: 'passive-by-hand',
  sentence:
    'the OS upgraded, then the extension twice, then the passive slot booted by hand: it runs the extension that was good with it, not the newest',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    await upgradeSystem(stage, node, 'v4.1.1');
    await node.restart();
    await readyAgain(stage, node);
    await stage.prove('the pair of the new OS and the same extension becomes good', node, untilGood(SECOND));
    await upgradeLive(stage, node, await servedRelease(stage, await nextRelease(stage)), THIRD);
    await upgradeLive(stage, node, await servedRelease(stage, await afterNextRelease(stage)), FOURTH);
    stage.say((await node.run(WITHOUT_US)).trim());
    await node.run('kairos-agent bootentry --select fallback && sync');
    await node.restart();
    await readyAgain(stage, node);
    await stage.verdict(
      node,
      'the passive slot runs its own OS with the extension that was good with it, twice upgraded since; Ready, data there',
      `${SEXTANT_SAYS}
${readyChecks(stage)}
[ -e /run/cos/passive_mode ]
[ "$(sextant_says '.running | "\\(.id) \\(.state) \\(.kubernetes)"')" = '1 good ${stage.lab.release.version}' ]
[ "$(sextant_says '.generations[] | select(.id == ${FOURTH}) | .state')" = good ]
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
${SEXTANT_NODE} status`,
    );
  },
};

async function upgradeLive(stage: Stage, node: LabNode, address: string, generation: number): Promise<void> {
  await stage.prove(
    `generation ${generation}: exchanged live, without a restart, and good`,
    node,
    `boot=$(cat /proc/sys/kernel/random/boot_id)
${SEXTANT_NODE} upgrade --live --to ${address}
${untilGood(generation)}
[ "$(cat /proc/sys/kernel/random/boot_id)" = "$boot" ]`,
  );
}

/** What the slots' folders of the store would give a boot without sextant-node. */
const WITHOUT_US = `for slot in active passive; do
  echo "$slot: $(ls -l /var/lib/kairos/extensions/$slot 2>/dev/null | sed -n 's/.* \\([^ ]* -> .*\\)/\\1/p' | cut -c1-80)"
done`;
