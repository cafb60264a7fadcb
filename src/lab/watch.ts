/** What a node goes through from power-on, in this order. */
export const STEPS = [
  'firmware',
  'initramfs',
  'extension installed',
  'merged',
  'API answering',
  'node Ready',
] as const;
export type StepName = (typeof STEPS)[number];

/** Where a distribution keeps an administrator's client configuration. */
const KUBECONFIGS = ['/etc/rancher/k3s/k3s.yaml', '/var/lib/k0s/pki/admin.conf'];

/**
 * Shell functions for a guest that ask its own API server: `api PATH` prints the answer, `node_ready NAME` is true once the node's
 * Ready condition was reported true by the kubelet of this very boot (after a reboot the API first shows what it showed before).
 * curl with the administrator's certificate: a kubectl call costs seconds under emulation.
 */
export const API_FUNCTIONS = `
api_credentials() {
  [ -e /run/sextant-lab/api/key ] && return 0
  for config in ${KUBECONFIGS.join(' ')}; do
    [ -s "$config" ] || continue
    mkdir -p /run/sextant-lab/api.new && chmod 700 /run/sextant-lab/api.new
    field() { sed -n "s/^ *$1: *//p" "$config" | head -n 1; }
    field certificate-authority-data | base64 -d >/run/sextant-lab/api.new/ca
    field client-certificate-data | base64 -d >/run/sextant-lab/api.new/cert
    field client-key-data | base64 -d >/run/sextant-lab/api.new/key
    field server >/run/sextant-lab/api.new/server
    [ -s /run/sextant-lab/api.new/key ] && mv /run/sextant-lab/api.new /run/sextant-lab/api && return 0
  done
  return 1
}
api() {
  api_credentials || return 1
  curl -sf -m 20 --cacert /run/sextant-lab/api/ca --cert /run/sextant-lab/api/cert --key /run/sextant-lab/api/key "$(cat /run/sextant-lab/api/server)$1"
}
api_answers() { [ "$(api /readyz)" = ok ]; }
node_ready() {
  boot=$(sed -n 's/^btime //p' /proc/stat)
  ready=$(api "/api/v1/nodes/$1" | jq -r '.status.conditions[] | select(.type == "Ready" and .status == "True") | .lastHeartbeatTime | fromdate') || return 1
  renewed=$(api "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/$1" | jq -r '.spec.renewTime | sub("\\\\.[0-9]+"; "") | fromdate') || return 1
  [ "\${ready:-0}" -ge "$boot" ] && [ "\${renewed:-0}" -ge "$boot" ]
}
`;

/**
 * A script for a guest that prints "STEP-INDEX UPTIME" as each step after the initramfs is reached and ends with the last. A standard
 * image has no extension, an agent no administrator's configuration: without `api` the script ends with the merge.
 */
export function watchScript(extensionName: string | undefined, api: boolean): string {
  const reached = (step: StepName) => `echo "${STEPS.indexOf(step)} $(cut -d' ' -f1 /proc/uptime)"`;
  const extension =
    extensionName === undefined
      ? ''
      : `until [ -e /run/extensions/${extensionName}.sysext.raw ] || [ -e /run/extensions/${extensionName}.raw ]; do sleep 1; done
${reached('extension installed')}
until [ -e /usr/lib/extension-release.d/extension-release.${extensionName} ]; do sleep 0.5; done
${reached('merged')}`;
  return `${API_FUNCTIONS}
${extension}
${
  !api
    ? ''
    : `until api_answers; do sleep 1; done
${reached('API answering')}
until node_ready "$(hostname | tr A-Z a-z)"; do sleep 1; done
${reached('node Ready')}
`
}`;
}
