/** How to reach an API server: its address, and PEM texts or the paths of files that hold them. */
export interface Access {
  readonly server: string;
  readonly authority: Pem;
  readonly certificate: Pem;
  readonly key: Pem;
}
export type Pem = { readonly base64: string } | { readonly file: string };

/**
 * A client configuration as k3s and k0s write theirs: one cluster, one user, each field on a line of its own, values plain or in double
 * quotes. Undefined for any other, a token or a plug-in for instance. Not a reader of YAML.
 * https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
export function parseKubeconfig(text: string): Access | undefined {
  const field = (name: string) => {
    const found = [...text.matchAll(new RegExp(`^[ -]*${name}: *"?([^"\\s]+)"? *$`, 'gm'))];
    return found.length === 1 ? found[0]?.[1] : undefined;
  };
  const pem = (name: string): Pem | undefined => {
    const [base64, file] = [field(`${name}-data`), field(name)];
    return base64 !== undefined ? { base64 } : file?.startsWith('/') ? { file } : undefined;
  };
  const server = field('server');
  const [authority, certificate, key] = [
    pem('certificate-authority'),
    pem('client-certificate'),
    pem('client-key'),
  ];
  if (!server?.startsWith('https://') || !authority || !certificate || !key) return undefined;
  return { server, authority, certificate, key };
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The bytes of base64 text (RFC 4648, 4); undefined for what is none. QuickJS has no atob. */
export function base64Bytes(text: string): Uint8Array | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return undefined;
  const digits = text.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let [bits, held, at] = [0, 0, 0];
  for (const digit of digits) {
    bits = ((bits << 6) | DIGITS.indexOf(digit)) & 0xffffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes[at++] = (bits >> held) & 0xff;
  }
  return bytes;
}
