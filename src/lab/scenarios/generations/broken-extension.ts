import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SECOND, SEXTANT_SAYS, setSettings } from './adopted.ts';
import { brokenRelease } from './releases.ts';
import { readyAgain, saidOnConsole, servedRelease, upgradeByRestart } from './trial.ts';

/** How long this scenario's trial may take; a boot that is Ready takes longer on an emulated machine, but none here is to become so. */
const PATIENCE_SECONDS = 90;

export const brokenExtension: Scenario = {
  name: 'broken-extension',
  sentence:
    'an extension upgrade whose Kubernetes never gets Ready: the node returns by itself to the pair that was good, Ready again, its data there',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    const address = await servedRelease(stage, await brokenRelease(stage));
    await setSettings(node, { patienceSeconds: PATIENCE_SECONDS });
    const asked = performance.now();
    const trial = await upgradeByRestart(stage, node, address);
    const began = node.bootedAt();
    const decided = await stage.prove(
      'the trial runs the new extension, counted before the merge',
      node,
      `${SEXTANT_SAYS}
echo "decided before the merge in $(jq .milliseconds /run/sextant/boot.json) ms"
[ "$(jq -r .runs /run/sextant/boot.json)" = ${SECOND} ]
[ "$(sextant_says .running.state)" = trying ]
[ "$(sextant_says .running.tries)" = 1 ]
until [ -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]; do sleep 1; done
no test -e /usr/lib/k3s-standin/bin/containerd`,
    );
    stage.say(decided.trim().split('\n')[0] ?? '');
    await node.bootAfter(trial);
    const back = node.bootedAt();
    const ready = await readyAgain(stage, node);
    const seconds = (from: number, to: number) => Math.round((to - from) / 1000);
    stage.say(
      `trial of ${seconds(began, back)} s from restart to restart (patience ${PATIENCE_SECONDS} s), Ready again ${Math.round(ready)} s after the second, ${seconds(asked, back) + Math.round(ready)} s after the upgrade was asked for`,
    );
    for (const line of await saidOnConsole(stage, node)) stage.say(`| ${line}`);
    await stage.verdict(
      node,
      'the pair that was good runs, the other one is bad and says why, nothing is on trial, the data is there',
      `${SEXTANT_SAYS}
${readyChecks(stage)}
[ "$(sextant_says '.running | "\\(.id) \\(.state) \\(.kubernetes)"')" = '1 good ${stage.lab.release.version}' ]
[ "$(sextant_says '.generations[] | select(.id == ${SECOND}) | .state')" = bad ]
[ "$(sextant_says '[.generations[] | select(.wanted)] | length')" = 0 ]
k3s --version | grep -F 'k3s version ${stage.lab.release.version} '
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
until api "/api/v1/nodes/$(hostname | tr A-Z a-z)" | jq -e '.metadata.labels["sextant/generation"] == "1" and .metadata.annotations["sextant/kubernetes"] == "${stage.lab.release.version}"'; do sleep 2; done
/opt/sextant/bin/sextant-node status
/opt/sextant/bin/sextant-node history`,
    );
  },
};
