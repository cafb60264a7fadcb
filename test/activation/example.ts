import { readFileSync } from 'node:fs';
import type { ActivationInput } from '../../src/activation/types.ts';

export const certificatePem = readFileSync(new URL('certificate.pem', import.meta.url), 'utf8');

const image = (architecture: 'amd64' | 'arm64', digit: string) => ({
  url: `https://releases.example.net/v1.36.3+k3s1/provider-kairos-v1.36.3+k3s1-${architecture}.sysext.raw`,
  fileName: `provider-kairos-v1.36.3+k3s1-${architecture}.sysext.raw`,
  sha256: digit.repeat(64),
  size: 187_654_321,
  rootHash: digit === 'a' ? 'c'.repeat(64) : 'd'.repeat(64),
});

/** A single node for both architectures. */
export const example: ActivationInput = {
  images: { amd64: image('amd64', 'a'), arm64: image('arm64', 'b') },
  kubernetesVersion: 'v1.36.3+k3s1',
  node: { k3s: {} },
};

/** One of each kind of activation that people write. */
export const examples: Readonly<Record<string, ActivationInput>> = {
  'single-node': example,
  agent: {
    ...example,
    node: {
      k3sAgent: {
        env: { K3S_URL: 'https://10.0.0.10:6443', K3S_TOKEN: 'a-token' },
        args: ['--node-label=a=b'],
      },
    },
  },
  p2p: {
    ...example,
    node: {
      k3s: { enabled: false, args: ['--disable=traefik'] },
      p2p: {
        networkToken: 'b3RwOgogIGRodDoK',
        networkId: 'farm',
        role: 'master',
        disableDht: true,
        dns: true,
        minimumNodes: 3,
        highAvailability: { masterNodes: 2 },
        vpn: { create: true, use: false, env: { EDGEVPNMAXCONNS: '20' } },
      },
    },
  },
  k0s: { ...example, kubernetesVersion: 'v1.36.3+k0s.0', node: { k0s: { args: ['--single'] } } },
  'k0s-worker': {
    ...example,
    kubernetesVersion: 'v1.36.3+k0s.0',
    node: { k0sWorker: { replaceArgs: true } },
  },
  strict: { ...example, trust: { mode: 'strict', certificatePem } },
  adopt: { ...example, adopt: true },
  'strict-firmware': { ...example, trust: { mode: 'strict' } },
  'proxy-and-ca': {
    ...example,
    proxy: {
      httpProxy: 'http://user:secret@proxy.example.net:3128',
      httpsProxy: 'http://proxy.example.net:3128',
      noProxy: 'localhost,10.0.0.0/8,.svc',
    },
    caCertificatePem: certificatePem,
    mergeTimeoutSeconds: 240,
  },
};
