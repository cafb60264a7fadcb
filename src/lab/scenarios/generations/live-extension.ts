import type { Scenario } from '../types.ts';
import { adoptedNode, SECOND, SETTINGS, SEXTANT_NODE, SEXTANT_SAYS, untilGood } from './adopted.ts';
import { nextRelease } from './releases.ts';
import { servedCatalogs } from './served-catalog.ts';

const PUBLIC_KEY = '/run/sextant-lab/catalog.pub';

export const liveExtension: Scenario = {
  name: 'live-extension',
  sentence:
    'an extension upgrade that works, chosen from a signed catalog and exchanged live: good without a restart of the node, its data there; a catalog that another key signed is refused',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    const next = await nextRelease(stage);
    const { own, foreign, publicKey } = await servedCatalogs(stage, next);
    const choosesFrom = (address: string) =>
      `echo '${JSON.stringify({ ...SETTINGS, catalog: { address, trust: PUBLIC_KEY } })}' >/etc/sextant/settings.json`;
    await stage.prove(
      'a catalog that another key signed is refused, nothing is changed',
      node,
      `echo ${Buffer.from(publicKey).toString('base64')} | base64 -d >${PUBLIC_KEY}
${choosesFrom(foreign)}
no ${SEXTANT_NODE} upgrade --live >/run/sextant-lab/refused 2>&1
grep -F 'is signed by none of the keys this node trusts' /run/sextant-lab/refused
[ "$(${SEXTANT_NODE} status --json | jq '.generations | length')" = 1 ]`,
    );
    const said = await stage.prove(
      'the release that the catalog lists is fetched, the extension exchanged live, and the pair becomes good',
      node,
      `boot=$(cat /proc/sys/kernel/random/boot_id)
${choosesFrom(own)}
${SEXTANT_NODE} upgrade --live
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
