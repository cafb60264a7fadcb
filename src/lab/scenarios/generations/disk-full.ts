import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SEXTANT_NODE, SEXTANT_SAYS } from './adopted.ts';
import { nextRelease } from './releases.ts';
import { readyAgain, servedRelease } from './trial.ts';

export const diskFull: Scenario = {
  name: 'disk-full',
  sentence:
    'the persistent disk is full: an upgrade is refused with nothing changed, a boot still decides and runs the good pair; with room again it is Ready',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    const address = await servedRelease(stage, await nextRelease(stage));
    await node.run(`fallocate -l $(($(df --output=avail -B1 /usr/local | tail -n 1) - 1048576)) /usr/local/full
# What ext4 keeps for root is root's to fill.
dd if=/dev/zero of=/usr/local/fuller bs=64k 2>/dev/null; sync`);
    await stage.prove(
      'the upgrade is refused for want of space, and nothing has changed',
      node,
      `before=$(sha256sum /opt/sextant/records/generations.json)
if ${SEXTANT_NODE} upgrade --to ${address} 2>/run/sextant-lab/said; then exit 1; fi
cat /run/sextant-lab/said
grep -F 'free' /run/sextant-lab/said
[ "$(sha256sum /opt/sextant/records/generations.json)" = "$before" ]
[ -z "$(find /var/lib/kairos/extensions -name '*.part*')" ]`,
    );
    await node.restart();
    await stage.prove(
      'the next boot runs the good pair all the same, and says that nothing can be recorded',
      node,
      `${SEXTANT_SAYS}
until [ -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]; do sleep 1; done
[ "$(jq .runs /run/sextant/boot.json)" = 1 ]
cat /run/sextant/boot.json`,
    );
    await node.run('rm /usr/local/full /usr/local/fuller && sync && systemctl restart --no-block k3s');
    await readyAgain(stage, node);
    await stage.verdict(
      node,
      'with room again: Ready, data there',
      `${SEXTANT_SAYS}
${readyChecks(stage)}
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
${SEXTANT_NODE} status`,
    );
  },
};
