import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withExtension } from '../../release/extension.ts';
import { run } from '../../support/subprocess.ts';
import { freePorts } from '../machine/ports.ts';
import { labAddress, labNetwork, labNetworkConfig } from '../network.ts';
import { ACTIVATION_FILE, type Stage } from '../stage.ts';
import type { Scenario } from './types.ts';

export const peerToPeer: Scenario = {
  name: 'p2p-roles-fixed',
  sentence:
    'two nodes with p2p.network_token: edgevpn forms its network between them, the master serves and the worker joins; roles are fixed, their negotiation is not shown (stand-in provider)',
  async run(stage) {
    const server = await stage.serve();
    const networkToken = await makeToken(stage);
    const ports = await freePorts(1);
    const boot = async (index: number, role: 'master' | 'worker') =>
      stage.node(
        {
          [ACTIVATION_FILE]: await stage.activation(server, {
            node: {
              p2p: {
                networkToken,
                role,
                disableDht: true,
                // Left alone, libp2p takes the interface of the default route, which is a network of each guest's own here.
                vpn: { env: { EDGEVPNLISTENMADDRS: `/ip4/${labAddress(index)}/tcp/0` } },
              },
            },
          }),
          '80_sextant-lab-network.yaml': labNetworkConfig(index, `node${index}`),
        },
        { machine: { networks: labNetwork(index, ports) } },
      );
    const master = await boot(1, 'master');
    await stage.untilReady(master, { api: false });
    // edgevpn gives addresses only once it sees two nodes.
    const worker = await boot(2, 'worker');
    await stage.untilReady(worker, { api: false });
    await stage.untilReady(master);
    await stage.prove(
      'edgevpn forms its network: the nodes reach each other through it',
      worker,
      `tries=0
until ip -4 -o address show edgevpn0 2>/dev/null | grep -q inet; do
  tries=$((tries + 1)); [ $tries -lt 120 ]
  sleep 2
done
server=$(sed -n 's|.*K3S_URL=.*https://\\([0-9.]*\\):.*|\\1|p' /etc/sysconfig/k3s-agent | tr -d '"')
ip -4 -o route get "$server" | grep -F 'dev edgevpn0'
tries=0
until ping -c 1 -W 5 "$server"; do
  tries=$((tries + 1)); [ $tries -lt 60 ]
done`,
    );
    await stage.verdict(
      master,
      'master and worker are Ready in one cluster',
      // A worker's node has an id after its name.
      `tries=0
until worker=$(api /api/v1/nodes | jq -re '.items[].metadata.name | select(startswith("node2"))') && node_ready "$worker"; do
  tries=$((tries + 1)); [ $tries -lt 300 ]
  sleep 2
done
node_ready node1
k3s kubectl get nodes -o wide`,
    );
  },
};

/** A network token, made by the edgevpn that the extension carries. */
function makeToken(stage: Stage): Promise<string> {
  const image = join(stage.lab.releaseFolder, stage.amd64.file);
  return withExtension(image, stage.lab.context, async ({ files }) => {
    const program = join(stage.folder, 'edgevpn');
    await writeFile(program, await files.read('/usr/bin/edgevpn', { limit: 256 * 1024 * 1024 }));
    await chmod(program, 0o700);
    const { stdout } = await run(program, ['-g', '-b'], { signal: stage.lab.context.signal });
    return stdout.toString().trim();
  });
}
