import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withExtension } from '../../release/extension.ts';
import { run } from '../../support/subprocess.ts';
import { freePorts } from '../machine/ports.ts';
import { labAddress, labNetwork, labNetworkConfig } from '../network.ts';
import { makePeerIdentity, type PeerIdentity } from '../peer-identity.ts';
import { ACTIVATION_FILE, type Stage } from '../stage.ts';
import { readyChecks } from './common.ts';
import type { Scenario } from './types.ts';

/** Where the master's edgevpn listens, and finds its key. */
const PORT = 4001;
const KEY_FOLDER = '/run/sextant-lab-peer';

/** Cloud-config that gives the master's edgevpn an identity known beforehand, in the file that edgevpn keeps it in. */
function identityConfig({ privateKey }: PeerIdentity): string {
  return `#cloud-config
# Sextant lab, test equipment: who this guest is in its peer-to-peer network.
stages:
  initramfs:
  - name: Sextant lab peer
    files:
    - path: ${KEY_FOLDER}/privkey
      permissions: 0600
      encoding: base64
      content: ${privateKey.toString('base64')}
`;
}

export const peerToPeer: Scenario = {
  name: 'p2p-roles-fixed',
  guests: 2,
  sentence:
    'two nodes with p2p.network_token: edgevpn forms its network between them, the master serves and the worker joins over it; roles are fixed, their negotiation is not shown (stand-in provider)',
  async run(stage) {
    const server = await stage.serve();
    const networkToken = await makeToken(stage);
    const ports = await freePorts(1);
    const identity = makePeerIdentity();
    const boot = async (index: number, role: 'master' | 'worker') => {
      const master = role === 'master';
      // Left alone, libp2p takes the interface of the default route, which is a network of each guest's own here. Found by mDNS,
      // each of two nodes dials the other once, at the same moment; where both meet as callers neither tries again for an hour. So
      // the master is the network's own bootstrap peer, as in any network that cannot reach the public ones: that call is repeated.
      const env: Readonly<Record<string, string>> = master
        ? {
            EDGEVPNLISTENMADDRS: `/ip4/${labAddress(index)}/tcp/${PORT}`,
            EDGEVPNPRIVKEYCACHE: 'true',
            EDGEVPNPRIVKEYCACHEDIR: KEY_FOLDER,
          }
        : {
            EDGEVPNLISTENMADDRS: `/ip4/${labAddress(index)}/tcp/0`,
            EDGEVPNBOOTSTRAPPEERS: `/ip4/${labAddress(1)}/tcp/${PORT}/p2p/${identity.id}`,
            EDGEVPNDHTINTERVAL: '30',
          };
      return stage.node(
        {
          [ACTIVATION_FILE]: await stage.activation(server, {
            node: { p2p: { networkToken, role, disableDht: master, vpn: { env } } },
          }),
          '80_sextant-lab-network.yaml': labNetworkConfig(index, `node${index}`),
          ...(master ? { '81_sextant-lab-peer.yaml': identityConfig(identity) } : {}),
        },
        { machine: { networks: labNetwork(index, ports) } },
      );
    };
    const master = await boot(1, 'master');
    await stage.untilReady(master, { api: false });
    // edgevpn gives addresses only once it sees two nodes.
    const worker = await boot(2, 'worker');
    await stage.untilReady(worker, { api: false });
    for (const node of [master, worker]) {
      await stage.prove(
        `edgevpn forms its network: ${node.name} has an address in it`,
        node,
        `tries=0
until ip -4 -o address show edgevpn0 2>/dev/null | grep inet; do
  tries=$((tries + 1)); [ $tries -lt 300 ] || { journalctl -b -u 'edgevpn*' --no-pager -o cat | tail -n 20; exit 1; }
  sleep 2
done`,
      );
    }
    await stage.untilReady(master);
    await stage.prove(
      'the worker learnt the master’s address from the ledger and reaches it through edgevpn',
      worker,
      `tries=0
until [ -s /etc/sysconfig/k3s-agent ]; do
  tries=$((tries + 1)); [ $tries -lt 120 ] || { journalctl -b -u kairos-agent --no-pager -o cat | tail -n 20; exit 1; }
  sleep 2
done
server=$(sed -n 's|.*K3S_URL=.*https://\\([0-9.]*\\):.*|\\1|p' /etc/sysconfig/k3s-agent)
ip -4 -o route get "$server" | grep -F 'dev edgevpn0'
tries=0
until ping -c 1 -W 5 "$server"; do
  tries=$((tries + 1)); [ $tries -lt 60 ]
done`,
    );
    const address = (
      await worker.run("ip -4 -o address show edgevpn0 | sed 's|.*inet \\([0-9.]*\\)/.*|\\1|'")
    ).trim();
    await stage.verdict(
      master,
      'master and worker are Ready in one cluster, the worker by its address in the peer-to-peer network',
      // A worker's node has an id after its name.
      `tries=0
until worker=$(api /api/v1/nodes | jq -re '.items[].metadata.name | select(startswith("node2"))') && node_ready "$worker"; do
  tries=$((tries + 1)); [ $tries -lt 300 ]
  sleep 2
done
[ "$(api "/api/v1/nodes/$worker" | jq -r '.status.addresses[] | select(.type == "InternalIP") | .address')" = '${address}' ]
${readyChecks(stage)}
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
