import type { Scenario } from '../types.ts';
import { adoptedNode, SECOND, SEXTANT_NODE, SEXTANT_SAYS, untilGood } from './adopted.ts';
import { nextRelease } from './releases.ts';
import { servedRelease } from './trial.ts';

export const liveExtension: Scenario = {
  name: 'live-extension',
  sentence:
    'an extension upgrade that works, exchanged live: good without a restart of the node, its data there',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    const next = await nextRelease(stage);
    const address = await servedRelease(stage, next);
    const said = await stage.prove(
      'the extension is exchanged live, and the pair becomes good',
      node,
      `boot=$(cat /proc/sys/kernel/random/boot_id)
${SEXTANT_NODE} upgrade --live --to ${address}
${untilGood(SECOND)}
[ "$(cat /proc/sys/kernel/random/boot_id)" = "$boot" ]`,
    );
    for (const line of said.trimEnd().split('\n')) stage.say(`| ${line}`);
    await stage.verdict(
      node,
      'the new Kubernetes is Ready with dm-verity in use, its data there; the pair before it is superseded',
      `${SEXTANT_SAYS}
dmsetup table --target verity | grep -F ' ${next.rootHash} '
node_ready "$(hostname | tr A-Z a-z)"
k3s --version | grep -F 'k3s version ${next.release.version} '
[ "$(sextant_says '.generations[] | select(.id == 1) | .state')" = superseded ]
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
${SEXTANT_NODE} status`,
    );
  },
};
