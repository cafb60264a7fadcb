import type { Activation } from './types.ts';

type Service = NonNullable<Activation['node']['k3s']>;
type PeerToPeer = NonNullable<Activation['node']['p2p']>;
/** A block of the cloud-config as provider-kairos reads it. */
export type Block = { readonly [key: string]: string | number | boolean | readonly string[] | Block };

/** Only what is set: undefined values and empty lists and maps are left out. */
function present(values: Readonly<Record<string, Block[string] | undefined>>): Block {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => {
      const empty = value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
      return empty ? [] : [[key, value]];
    }),
  );
}

function serviceBlock(service: Service, proxy: Activation['proxy']): Block {
  // What the node pulls images through, unless the caller says otherwise.
  const proxyVariables = {
    ...(proxy?.httpProxy === undefined ? {} : { HTTP_PROXY: proxy.httpProxy }),
    ...(proxy?.httpsProxy === undefined ? {} : { HTTPS_PROXY: proxy.httpsProxy }),
    ...(proxy?.noProxy === undefined ? {} : { NO_PROXY: proxy.noProxy }),
  };
  return present({
    enabled: service.enabled,
    replace_args: service.replaceArgs || undefined,
    args: service.args,
    env: { ...proxyVariables, ...service.env },
  });
}

function peerToPeerBlock(p2p: PeerToPeer): Block {
  const { highAvailability: ha, vpn } = p2p;
  return present({
    network_token: p2p.networkToken,
    network_id: p2p.networkId,
    role: p2p.role,
    dns: p2p.dns,
    disable_dht: p2p.disableDht,
    minimum_nodes: p2p.minimumNodes,
    auto: ha && {
      enable: true,
      ha: present({ enable: true, master_nodes: ha.masterNodes, external_db: ha.externalDatabase }),
    },
    vpn: vpn && present({ create: vpn.create, use: vpn.use, env: vpn.env }),
  });
}

/**
 * The blocks that say what this node is, by their keys in the cloud-config (`k3s`, `k3s-agent`, `k0s`, `k0s-worker`, `p2p`); keys
 * and meaning are those of provider-kairos 2.16, internal/provider/config/config.go.
 */
export function nodeBlocks({ node, proxy }: Activation): Block {
  return present({
    k3s: node.k3s && serviceBlock(node.k3s, proxy),
    'k3s-agent': node.k3sAgent && serviceBlock(node.k3sAgent, proxy),
    k0s: node.k0s && serviceBlock(node.k0s, proxy),
    'k0s-worker': node.k0sWorker && serviceBlock(node.k0sWorker, proxy),
    p2p: node.p2p && peerToPeerBlock(node.p2p),
  });
}
