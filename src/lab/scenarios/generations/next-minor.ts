import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SECOND, SEXTANT_NODE, SEXTANT_SAYS, setSettings, untilGood } from './adopted.ts';
import { nextMinorRelease } from './releases.ts';
import { readyAgain, restartBy, servedRelease, upgradeByRestart } from './trial.ts';

/** Long enough for the API to answer and take a write, on an emulated machine. */
const PATIENCE_SECONDS = 300;

const CHECK = '/etc/sextant/health.d/10-operator';
const CHECK_FILE = '/oem/92_operator-check.yaml';

/** An operator's own check as docs/generations.md shows one: this cluster is not to leave its minor version. */
const checkConfig = (minor: string) => `#cloud-config
stages:
  initramfs:
    - files:
        - path: ${CHECK}
          permissions: 0755
          content: |
            #!/bin/sh
            k3s --version | grep -qF '${minor}.' || { echo 'the operator says no'; exit 1; }
`;

// Of docs/generations.md: decided before the merge, in the initramfs stage.
const STARTED = '947335f07f47462e413e0431f1426fff';
const RESTORED = 'cf2560ade3f618a7a9ca2bf0091b31f6';

export const nextMinor: Scenario = {
  name: 'next-minor',
  sentence:
    "an upgrade to another minor version that an operator's own check refuses: the node returns and the datastore is as it was before; with the check gone the upgrade is good, going back is refused without the snapshot and works with it (the programs are those of the release before, under the next version)",
  async run(stage) {
    const { node } = await adoptedNode(stage);
    const { version } = stage.lab.release;
    const minor = /^v\d+\.\d+/.exec(version)?.[0] ?? '';
    const next = await nextMinorRelease(stage);
    const address = await servedRelease(stage, next);
    await setSettings(node, { patienceSeconds: PATIENCE_SECONDS });
    const check = Buffer.from(checkConfig(minor)).toString('base64');
    await node.run(`echo ${check} | base64 -d >${CHECK_FILE} && sync`);

    const trial = await upgradeByRestart(stage, node, address);
    await stage.prove(
      'on trial, with a snapshot from before; the API takes a write',
      node,
      `${SEXTANT_SAYS}
[ "$(sextant_says '.running | "\\(.state) \\(.kubernetes)"')" = 'trying ${next.release.version}' ]
journalctl -b MESSAGE_ID=${STARTED} -o cat --no-pager | grep -F 'try 1 of 2'
[ "$(jq -r .kubernetes /opt/sextant/snapshots/*/snapshot.json)" = '${version}' ]
tries=0
until k3s kubectl create configmap of-the-trial --from-literal=by=the-lab; do
  tries=$((tries + 1)); [ $tries -lt 120 ]
  sleep 2
done
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]`,
    );
    await node.bootAfter(trial);
    await readyAgain(stage, node);
    await stage.prove(
      'the pair that was good is Ready on the datastore of before the trial, and the records know it, both copies',
      node,
      `${SEXTANT_SAYS}
${readyChecks(stage)}
[ "$(sextant_says '.running | "\\(.id) \\(.state) \\(.kubernetes)"')" = '1 good ${version}' ]
sextant_says '.generations[] | select(.id == ${SECOND}) | "\\(.state): \\(.why)"' | grep -F 'bad: ' | grep -F '${CHECK}' | grep -F 'the operator says no'
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
k3s kubectl get configmap of-the-trial 2>&1 | grep -F NotFound
journalctl -b MESSAGE_ID=${RESTORED} -o cat --no-pager | grep -F 'was put back'
journalctl -b -k -o cat --no-pager | grep -F 'was put back; what was written since'
no grep -l '"restore":"' /opt/sextant/records/*`,
    );

    await node.run(`rm ${CHECK_FILE} && sync`);
    await upgradeByRestart(stage, node, address, '--again');
    await readyAgain(stage, node);
    await stage.prove(
      'with the check gone the same upgrade becomes good; back behind it, without the snapshot, is refused',
      node,
      `${untilGood(SECOND)}
k3s --version | grep -F 'k3s version ${next.release.version} '
k3s kubectl create configmap since-the-upgrade --from-literal=by=the-lab
code=0; said=$(${SEXTANT_NODE} rollback --to 1 2>&1) || code=$?
echo "$said"
[ $code -ne 0 ]
echo "$said" | grep -F -e --restore-datastore`,
    );
    await restartBy(stage, node, 'rollback --to 1 --restore-datastore');
    await readyAgain(stage, node);
    await stage.verdict(
      node,
      'gone back with the snapshot: Ready, the data of before is there, what was written since is not',
      `${SEXTANT_SAYS}
${readyChecks(stage)}
[ "$(sextant_says '.running | "\\(.id) \\(.state) \\(.kubernetes)"')" = '1 good ${version}' ]
k3s --version | grep -F 'k3s version ${version} '
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
k3s kubectl get configmap since-the-upgrade 2>&1 | grep -F NotFound
no grep -l '"restore":"' /opt/sextant/records/*
${SEXTANT_NODE} history`,
    );
  },
};
