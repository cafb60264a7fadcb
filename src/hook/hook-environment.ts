import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerFile } from './lower-layer.ts';
import { resolveIn } from './lower-layer.ts';

/** Where the gate listens in the sandbox. The same in every run: installers copy it into files, and those must not differ. */
export const PROXY_PORT = 3128;

export const SANDBOX_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
// Where other distributions' programs look (crypto/x509 of Go has the same list).
const OTHER_BUNDLES = [
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** The whole environment of the hook: fixed, so that a result does not depend on who builds, and what the recipe adds. */
export function hookEnvironment(extra: Readonly<Record<string, string>>): Record<string, string> {
  const proxy = `http://127.0.0.1:${PROXY_PORT}`;
  return {
    HOME: '/root',
    USER: 'root',
    LOGNAME: 'root',
    SHELL: '/bin/sh',
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    // curl reads http_proxy in lower case only; Go takes either; wget lower case.
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    http_proxy: proxy,
    https_proxy: proxy,
    SSL_CERT_FILE: BUNDLE,
    CURL_CA_BUNDLE: BUNDLE,
    REQUESTS_CA_BUNDLE: BUNDLE,
    GIT_SSL_CAINFO: BUNDLE,
    NODE_EXTRA_CA_CERTS: BUNDLE,
    ...extra,
  };
}

/** The root's certificate bundles with the proxy's authority at their end, at every place the root has one. */
export async function certificateBundles(root: string, certificate: string): Promise<LayerFile[]> {
  const files: LayerFile[] = [];
  for (const path of [BUNDLE, ...OTHER_BUNDLES]) {
    const found = await readFile(join(root, await resolveIn(root, path, 'follow')), 'utf8').catch(
      () => undefined,
    );
    if (found === undefined && path !== BUNDLE) continue;
    const own = found === undefined || found === '' ? '' : `${found.trimEnd()}\n`;
    files.push({ path, content: own + certificate, mode: 0o644 });
  }
  return files;
}
