import { ACTIVATION_FILE } from '../stage.ts';
import { variantRelease } from '../variant.ts';
import { runPod } from './common.ts';
import type { Scenario } from './types.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

export const nextRelease: Scenario = {
  name: 'next-release',
  sentence:
    'Kubernetes moved forward by a second release of the extension and back again; the boot image keeps its digest, the data stays',
  async run(stage) {
    const { node, server } = await stage.readyNode();
    const next = await variantRelease(stage.lab, 'next', (recipe) => recipe.replaceAll('+k3s0', '+k3s1'));
    const served = await stage.serve({ next: next.folder });
    const image = 'sha256sum /run/initramfs/cos-state/cOS/active.img | cut -d" " -f1';
    const before = (await node.run(image)).trim();
    await runPod(stage, node);
    const first = await node.run(`cat /oem/${ACTIVATION_FILE}`);
    const move = async (activation: string, version: string) => {
      // As the documentation says: replace the file and reboot. What runs keeps running until the next start.
      await node.run(`umask 077; echo ${base64(activation)} | base64 -d >/oem/${ACTIVATION_FILE}; sync`);
      await node.restart();
      await stage.untilReady(node);
      await stage.prove(
        `Kubernetes is ${version}, by its own word and the kubelet's`,
        node,
        `k3s --version | grep -F 'k3s version ${version} '
tries=0
until [ "$(api "/api/v1/nodes/$(hostname)" | jq -r .status.nodeInfo.kubeletVersion)" = '${version}' ]; do
  tries=$((tries + 1)); [ $tries -lt 60 ]
  sleep 1
done`,
      );
    };
    await move(await stage.activationOf(next, `${served.guestUrl}/next`), next.release.version);
    const asked = server.requests.length;
    await move(first, stage.lab.release.version);
    stage.check(
      'going back fetches nothing',
      server.requests.length === asked,
      JSON.stringify(server.requests.slice(asked)),
    );
    await stage.verdict(
      node,
      'the boot image has the same digest as before, the data is there, the node is Ready',
      `[ "$(${image})" = ${before} ]
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
node_ready "$(hostname | tr A-Z a-z)"`,
    );
  },
};
