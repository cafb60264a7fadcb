import { randomBytes } from 'node:crypto';
import { freePorts } from '../machine/ports.ts';
import { labNetwork, labNetworkConfig } from '../network.ts';
import { ACTIVATION_FILE } from '../stage.ts';
import { clusterNode } from '../up.ts';
import { readyChecks } from './common.ts';
import type { Scenario } from './types.ts';

export const serverAndAgent: Scenario = {
  name: 'server-and-agent',
  guests: 2,
  sentence: 'two nodes, a server by its k3s block and an agent by its k3s-agent block: both Ready',
  async run(stage) {
    const server = await stage.serve();
    const token = randomBytes(16).toString('hex');
    const ports = await freePorts(1);
    const boot = async (index: number) =>
      stage.node(
        {
          [ACTIVATION_FILE]: await stage.activation(server, { node: clusterNode(index, token) }),
          '80_sextant-lab-network.yaml': labNetworkConfig(index, `node${index}`),
        },
        { machine: { networks: labNetwork(index, ports) } },
      );
    const first = await boot(1);
    // One after the other: two guests that boot at once on two processors take more than twice as long.
    await stage.untilReady(first);
    const second = await boot(2);
    await stage.untilReady(second, { api: false });
    await stage.prove(
      'dm-verity is in use on the agent too',
      second,
      `dmsetup table --target verity | grep -q verity`,
    );
    await stage.prove(
      'the agent joins',
      first,
      `tries=0
until node_ready node2; do
  tries=$((tries + 1)); [ $tries -lt 300 ]
  sleep 2
done
k3s kubectl get nodes -o wide`,
    );
    await stage.verdict(
      first,
      'both nodes are Ready',
      `${readyChecks(stage)}\nnode_ready node1\nnode_ready node2`,
    );
  },
};
