/** What `removeSandboxProxies` took out of an environment file. */
export interface Cleaned {
  readonly text: string;
  readonly removed: readonly string[];
}

const PROXY_LINE = /^\s*(?:export\s+)?(?:https?|no|all|ftp)_proxy\s*=/i;
const LOOPBACK = /(?:127\.\d+\.\d+\.\d+|\[?::1\]?|localhost)(?::\d+)?/i;

/**
 * The hook runs behind a proxy on the loopback address of the build machine, and install scripts such as k3s' copy the proxy
 * settings they find into the service's environment file. On a node they would send Kubernetes to a proxy that is not there, and
 * its port differs from build to build. When a proxy setting names the loopback address, the file's proxy settings are left out;
 * others, which a person set on purpose, stay.
 */
export function removeSandboxProxies(text: string): Cleaned {
  const lines = text.split('\n');
  const fromSandbox = lines.some(
    (line) => PROXY_LINE.test(line) && LOOPBACK.test(line) && !/^\s*(?:export\s+)?no_proxy/i.test(line),
  );
  if (!fromSandbox) return { text, removed: [] };
  const removed = lines.filter((line) => PROXY_LINE.test(line));
  return { text: lines.filter((line) => !PROXY_LINE.test(line)).join('\n'), removed };
}
