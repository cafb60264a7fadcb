import { property, assert as thatHolds, uint8Array } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { base64Bytes, parseKubeconfig } from '../../../src/node/kubernetes/kubeconfig.ts';

const ADMIN = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: QQ==
    server: https://127.0.0.1:6443
  name: default
contexts:
- context:
    cluster: default
    user: default
users:
- name: default
  user:
    client-certificate-data: Qg==
    client-key-data: Qw==
`;
const KUBELET = `apiVersion: v1
clusters:
- cluster:
    server: "https://127.0.0.1:6444"
    certificate-authority: /var/lib/rancher/k3s/agent/server-ca.crt
users:
- user:
    client-certificate: /var/lib/rancher/k3s/agent/client-kubelet.crt
    client-key: /var/lib/rancher/k3s/agent/client-kubelet.key
`;

describe('a client configuration', () => {
  test('of an administrator, as k3s writes it, holds texts', () => {
    expect(parseKubeconfig(ADMIN)).toEqual({
      server: 'https://127.0.0.1:6443',
      authority: { base64: 'QQ==' },
      certificate: { base64: 'Qg==' },
      key: { base64: 'Qw==' },
    });
  });

  test("of k3s' kubelet names files", () => {
    expect(parseKubeconfig(KUBELET)?.key).toEqual({ file: '/var/lib/rancher/k3s/agent/client-kubelet.key' });
  });

  test.for([
    ['two servers', `${ADMIN}\n    server: https://elsewhere:6443\n`],
    ['a token', ADMIN.replace(/client-key-data: .*/, 'token: abc')],
    ['no TLS', ADMIN.replace('https:', 'http:')],
    ['a relative file', KUBELET.replace('/var/lib/rancher/k3s/agent/server-ca.crt', 'ca.crt')],
    ['nothing', ''],
  ])('with %s is not used', ([_, text]) => {
    expect(parseKubeconfig(text as string)).toBeUndefined();
  });
});

test('base64 is read as it was written, and nothing else is', () => {
  thatHolds(
    property(uint8Array({ maxLength: 40 }), (bytes) => {
      expect(base64Bytes(Buffer.from(bytes).toString('base64'))).toEqual(bytes);
    }),
  );
  for (const wrong of ['A', 'QQ=', 'Q Q=', 'Qä==', 'QQ==QQ==']) expect(base64Bytes(wrong)).toBeUndefined();
});
