import type { Host } from '../host/host.ts';
import { AGENT_KUBECONFIGS } from '../kubernetes/api.ts';
import { parseKubeconfig } from '../kubernetes/kubeconfig.ts';
import { field, parsed } from './node-ready.ts';

/** k3s' agent reaches its servers through a balancer of its own, which keeps their real addresses here. */
const BALANCER = '/var/lib/rancher/k3s/agent/etc/k3s-agent-load-balancer.json';
const ANSWER_SECONDS = 10;

/**
 * True when no server of this agent answers at all, asked past the agent itself: then an unhealthy node says nothing about what it runs.
 * Any answer, a refusal too, is one; an address that is not known is no excuse.
 */
export function isServerAway(host: Host): boolean {
  const servers = serverAddresses(host);
  return servers.length > 0 && !servers.some((server) => answers(host, server));
}

function serverAddresses(host: Host): readonly string[] {
  const balancer = parsed(host.readText(BALANCER));
  const listed = field(balancer, 'ServerAddresses');
  const own = field(balancer, 'ServerURL');
  const known = [
    ...(typeof own === 'string' ? [own] : []),
    ...(Array.isArray(listed) ? listed.map((address) => `https://${address}`) : []),
  ];
  const configured = AGENT_KUBECONFIGS.map((path) => parseKubeconfig(host.readText(path) ?? '')?.server);
  const all = known.length > 0 ? known : configured;
  const remote = all.filter(
    (url) => url?.startsWith('https://') && !/^https:\/\/(127\.|localhost|\[::1\])/.test(url),
  );
  return [...new Set(remote as string[])];
}

/** Certificates do not matter here: whoever answers is there. */
function answers(host: Host, server: string): boolean {
  const { ended, stdout } = host.run(
    ['curl', '--insecure', '--silent', '--output', '/dev/null', '--write-out', '%{http_code}'].concat(
      '--noproxy',
      '*',
      '--max-time',
      String(ANSWER_SECONDS),
      '--',
      `${server}/version`,
    ) as [string, ...string[]],
    { timeoutSeconds: ANSWER_SECONDS + 5 },
  );
  return ended === 'exit' && /^[1-9]\d\d$/.test(stdout.trim());
}
