import { removeTree } from '../effects/remove-tree.ts';
import { Failure } from '../failure.ts';
import { makeFolders } from '../files.ts';
import type { Host } from '../host/host.ts';
import { RUN_FOLDER } from '../model/paths.ts';
import { runProgram } from '../programs.ts';
import { type Access, base64Bytes, type Pem, parseKubeconfig } from './kubeconfig.ts';

/** Client configurations of this node, an administrator's before the kubelet's own; what each belongs to. */
const KUBECONFIGS = [
  { path: '/etc/rancher/k3s/k3s.yaml', role: 'server' },
  { path: '/var/lib/k0s/pki/admin.conf', role: 'server' },
  { path: '/var/lib/rancher/k3s/agent/kubelet.kubeconfig', role: 'agent' },
  { path: '/var/lib/k0s/kubelet.conf', role: 'agent' },
] as const;
/** Those of a kubelet. */
export const AGENT_KUBECONFIGS = KUBECONFIGS.filter((config) => config.role === 'agent').map(
  ({ path }) => path,
);

const ANSWER_SECONDS = 10;

/** `server` where this node has an administrator's configuration, `agent` where only a kubelet's, undefined where none yet. */
export function role(host: Host): 'server' | 'agent' | undefined {
  return KUBECONFIGS.find(({ path }) => host.stat(path)?.kind === 'file')?.role;
}

/** One request to the API server; the answer's text, or undefined when there is none or it is no success. Never throws for the network. */
export function askApi(
  host: Host,
  path: string,
  patch?: { readonly type: string; readonly body: string },
): string | undefined {
  const config = KUBECONFIGS.find((candidate) => host.stat(candidate.path)?.kind === 'file');
  const access = config && parseKubeconfig(host.readText(config.path) ?? '');
  if (!access) return undefined;
  const folder = `${RUN_FOLDER}/credentials-${Math.floor(Math.random() * 1e9)}`; // others may ask at the same time
  try {
    const { authority, certificate, key } = credentials(host, access, folder);
    const change = patch
      ? ['--request', 'PATCH', '--header', `Content-Type: ${patch.type}`, '--data-binary', '@-']
      : [];
    const { stdout } = runProgram(
      host,
      'curl',
      ['--fail', '--silent', '--max-time', String(ANSWER_SECONDS), '--noproxy', '*'].concat(
        ['--cacert', authority, '--cert', certificate, '--key', key],
        change,
        ['--', `${access.server}${path}`],
      ),
      { timeoutSeconds: ANSWER_SECONDS + 5, ...(patch ? { input: patch.body } : {}) },
    );
    return stdout;
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  } finally {
    removeTree(host, folder);
  }
}

/** The version of the cluster's API server, `v1.33.4+k3s1`, or null when it does not answer. */
export function clusterVersion(host: Host): string | null {
  try {
    const answer = JSON.parse(askApi(host, '/version') ?? 'null') as { gitVersion?: unknown } | null;
    return typeof answer?.gitVersion === 'string' ? answer.gitVersion : null;
  } catch {
    return null;
  }
}

/** curl takes certificates from files only; on a tmpfs, for root alone, and gone after the request. */
function credentials(host: Host, { authority, certificate, key }: Access, folder: string) {
  makeFolders(host, folder, 0o700);
  const file = (name: string, pem: Pem): string => {
    if ('file' in pem) return pem.file;
    const bytes = base64Bytes(pem.base64);
    if (bytes === undefined) throw new Failure('input', `the client configuration's ${name} is not base64`);
    const path = `${folder}/${name}`;
    host.writeNew(path, bytes, 0o600);
    return path;
  };
  return {
    authority: file('authority', authority),
    certificate: file('certificate', certificate),
    key: file('key', key),
  };
}
