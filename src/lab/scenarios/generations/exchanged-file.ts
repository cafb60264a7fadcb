import type { LabNode } from '../../node.ts';
import { ACTIVATION_FILE } from '../../stage.ts';
import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SECOND, SEXTANT_SAYS, untilGood } from './adopted.ts';
import { nextRelease } from './releases.ts';
import { readyAgain } from './trial.ts';

export const exchangedFile: Scenario = {
  name: 'exchanged-file',
  sentence:
    'on a node that sextant-node has taken over, the activation file exchanged for that of another release: its release goes on trial by itself and is good; with the first file back the node goes back by itself',
  async run(stage) {
    const { node, server } = await adoptedNode(stage);
    const next = await nextRelease(stage);
    const served = await stage.serve({ next: next.folder });
    const first = await node.run(`cat /oem/${ACTIVATION_FILE}`);
    await exchange(node, await stage.activationOf(next, `${served.guestUrl}/next`));
    await readyAgain(stage, node);
    await stage.prove(
      'the release of the new file was tried by a restart and is good; the file asks for nothing more',
      node,
      `${untilGood(SECOND)}
k3s --version | grep -F 'k3s version ${next.release.version} '
[ "$(cat /opt/sextant/followed)" = "$(sextant_says '.running.files[0].sha256')" ]
sh /run/sextant/activate status`,
    );
    const asked = server.requests.length;
    await exchange(node, first);
    await readyAgain(stage, node);
    stage.check(
      'going back fetches nothing',
      server.requests.length === asked,
      JSON.stringify(server.requests.slice(asked)),
    );
    await stage.verdict(
      node,
      'back with the first file: the pair of before is Ready and good without a trial, the data is there',
      `${SEXTANT_SAYS}
${readyChecks(stage)}
[ "$(sextant_says '.running | "\\(.id) \\(.state) \\(.kubernetes)"')" = '1 good ${stage.lab.release.version}' ]
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
/opt/sextant/bin/sextant-node history`,
    );
  },
};

/** As the documentation says: another file in the place of the first, and a restart. Resolves in the boot that the node then asks for itself. */
async function exchange(node: LabNode, activation: string): Promise<void> {
  const text = Buffer.from(activation).toString('base64');
  await node.run(`umask 077; echo ${text} | base64 -d >/oem/${ACTIVATION_FILE}; sync`);
  await node.restart();
  await node.bootAfter((await node.boot()).bootId);
}
