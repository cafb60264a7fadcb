import { ACTIVATION_FILE } from '../stage.ts';
import { readyChecks, runPod, THREE_CHECKS } from './common.ts';
import type { Scenario } from './types.ts';

export const installedCoreNode: Scenario = {
  name: 'installed-core-node',
  sentence: 'an installed core node, activation.yaml dropped in /oem, reboot: Ready, the three checks, a pod',
  async run(stage) {
    const server = await stage.serve();
    const node = await stage.node({});
    await stage.prove(
      'a plain core node: no k3s, no extension',
      node,
      `no command -v k3s
no ls /run/extensions/*.raw`,
    );
    const activation = Buffer.from(await stage.activation(server)).toString('base64');
    await node.run(`umask 077; echo ${activation} | base64 -d >/oem/${ACTIVATION_FILE} && sync`);
    await node.restart();
    await stage.untilReady(node);
    stage.check(
      'the first boot fetched one image, whole',
      server.requests.filter(({ path, method }) => path.endsWith('.raw') && method === 'GET').length === 1,
      JSON.stringify(server.requests),
    );
    stage.say((await stage.prove("the founding document's three checks", node, THREE_CHECKS)).trim());
    await runPod(stage, node);
    await stage.verdict(node, 'merged with dm-verity in use, node Ready', readyChecks(stage));
    await stage.donate(node, server);
  },
};
