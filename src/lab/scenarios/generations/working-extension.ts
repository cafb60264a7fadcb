import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SECOND, SEXTANT_SAYS, untilGood } from './adopted.ts';
import { nextRelease } from './releases.ts';
import { readyAgain, restartBy, servedRelease, upgradeByRestart } from './trial.ts';

export const workingExtension: Scenario = {
  name: 'working-extension',
  sentence:
    'an extension upgrade that works: on trial by a restart, good once Kubernetes has been healthy for the set time; `rollback` goes back to the pair before it, also while somebody holds a restart back',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    const next = await nextRelease(stage);
    await upgradeByRestart(stage, node, await servedRelease(stage, next));
    await readyAgain(stage, node);
    await stage.prove(
      'the pair becomes good, the one before it is superseded',
      node,
      `${untilGood(SECOND)}
[ "$(sextant_says '.generations[] | select(.id == 1) | .state')" = superseded ]`,
    );
    await stage.prove(
      'the new Kubernetes is Ready with dm-verity in use, its data there, the node object and the journal say so',
      node,
      `${SEXTANT_SAYS}
dmsetup table --target verity | grep -F ' ${next.rootHash} '
node_ready "$(hostname | tr A-Z a-z)"
k3s --version | grep -F 'k3s version ${next.release.version} '
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
api "/api/v1/nodes/$(hostname | tr A-Z a-z)" | jq -e '.metadata.labels["sextant/generation"] == "${SECOND}" and .metadata.labels["sextant/state"] == "good"'
journalctl -b MESSAGE_ID=4ddc7c7052a94b79520a5437e93aff08 -o cat --no-pager | grep -F 'generation ${SECOND}'
/opt/sextant/bin/sextant-node status`,
    );
    await stage.prove(
      'somebody holds an inhibitor lock: the node refuses a restart',
      node,
      `systemd-run --quiet systemd-inhibit --what=shutdown --why=lab sleep infinity
until systemd-inhibit --list --no-pager | grep -F lab; do sleep 1; done
if systemctl reboot; then exit 1; fi`,
    );
    await restartBy(stage, node, 'rollback');
    await readyAgain(stage, node);
    await stage.verdict(
      node,
      'rolled back, in spite of the lock: the pair before is Ready and good without a trial, the newer one is superseded and kept',
      `${SEXTANT_SAYS}
${readyChecks(stage)}
[ "$(sextant_says '.running | "\\(.id) \\(.state) \\(.kubernetes)"')" = '1 good ${stage.lab.release.version}' ]
[ "$(sextant_says '.generations[] | select(.id == ${SECOND}) | .state')" = superseded ]
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
/opt/sextant/bin/sextant-node history`,
    );
  },
};
