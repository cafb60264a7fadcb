import { sha256OfText } from '../digest.ts';
import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';
import { type CurlText, curlAsk, networkFailure } from './curl.ts';

/** A release in an OCI registry, as `sextant publish` leaves it there (docs/publish.md). */
export interface RegistryPlace {
  /** Host and port. */
  readonly registry: string;
  readonly repository: string;
  /** Tag of the raw form; the release's files are under the same with "-release". */
  readonly tag: string;
  /** Address of the repository in the registry's API. */
  readonly base: string;
}

// OCI distribution specification 1.1, "Pulling manifests".
const FORM =
  /^oci(\+http)?:(?:\/\/)?([A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?)\/([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::(\w[\w.-]{0,100}))?$/;
const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const TITLE = 'org.opencontainers.image.title';
const LIMIT = 4 * 1024 * 1024;

/** docker's and kairos-agent's own place for logins; root's, because only root upgrades. */
const LOGINS = '/root/.docker/config.json';

/** Reads `oci://HOST/REPOSITORY:TAG`. `oci+http://` is for a registry without TLS, which gets no login. Throws `usage`. */
export function registryPlace(text: string): RegistryPlace {
  const [, plain, registry = '', repository = '', tag] = FORM.exec(text) ?? [];
  const hasHost = /[.:]/.test(registry) || registry === 'localhost';
  if (registry === '' || !hasHost || tag === undefined)
    throw new Failure(
      'usage',
      `${text}: not a release in a registry`,
      'write oci://HOST/REPOSITORY:TAG, for example oci://ghcr.io/acme/kubernetes:v1.36.3-k3s1',
    );
  const scheme = plain !== undefined || isLoopback(registry) ? 'http' : 'https';
  return { registry, repository, tag, base: `${scheme}://${registry}/v2/${repository}` };
}

/** The reference with its tag exchanged for another version's: "+" is "-" in a tag. */
export function otherTag(text: string, old: string, now: string): string | undefined {
  const tagged = (version: string) => version.replace(/^v/, '').replaceAll('+', '-');
  const at = text.lastIndexOf(':') + 1;
  const tag = text.slice(at);
  return tagged(old) === '' || !tag.includes(tagged(old))
    ? undefined
    : `${text.slice(0, at)}${tag.replace(tagged(old), tagged(now))}`;
}

/** Address of an image of the raw form: its digest is the layer's. */
export function blobAddress(place: string, sha256: string): string {
  return `${registryPlace(place).base}/blobs/sha256:${sha256}`;
}

/**
 * The `release.json` of a release in a registry, checked against its digest, and against the images that the tag names: while someone publishes, the
 * two may belong to different releases. Throws `network`, `verification`, and `input` for what sextant did not publish.
 */
export function registryRelease(host: Host, text: string): string {
  const place = registryPlace(text);
  const ask = asker(host, place);
  const main = ask(`/manifests/${place.tag}`, [INDEX, MANIFEST]);
  const files = ask(`/manifests/${place.tag}-release`, [MANIFEST]);
  const notOurs = (why: string) =>
    new Failure('input', `${text}: ${why}`, 'name a release that `sextant publish` put there');
  const manifest = fields(files.text);
  const subject = fields(manifest.subject);
  if (subject.digest !== `sha256:${sha256OfText(host, main.text)}`)
    throw new Failure(
      'verification',
      `${text}: the tags ${place.tag} and ${place.tag}-release belong to different releases`,
      'someone is publishing there just now; run the same command again in a minute',
    );
  const layers = Array.isArray(manifest.layers) ? manifest.layers.map(fields) : [];
  const layer = layers.find((each) => fields(each.annotations)[TITLE] === 'release.json');
  const digest = typeof layer?.digest === 'string' ? layer.digest : '';
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw notOurs('its files hold no release.json');
  const release = ask(`/blobs/${digest}`, []).text;
  if (`sha256:${sha256OfText(host, release)}` === digest) return release;
  throw new Failure(
    'verification',
    `${text}: release.json is not what its digest says`,
    'try again, or report it',
  );
}

/** A file of an artifact in a registry: its address, and the digest of its bytes (64 hexadecimal digits). */
export interface ArtifactFile {
  readonly address: string;
  readonly sha256: string;
}

/** The files of an artifact by their titles, as `oras` and `sextant mirror` put them under a tag. Throws `network` where there is no such tag. */
export function registryArtifact(host: Host, text: string): ReadonlyMap<string, ArtifactFile> {
  const place = registryPlace(text);
  const { layers } = fields(asker(host, place)(`/manifests/${place.tag}`, [MANIFEST]).text);
  const found = new Map<string, ArtifactFile>();
  for (const layer of Array.isArray(layers) ? layers.map(fields) : []) {
    const title = fields(layer.annotations)[TITLE];
    const [, sha256] = /^sha256:([0-9a-f]{64})$/.exec(String(layer.digest)) ?? [];
    if (typeof title === 'string' && sha256 !== undefined)
      found.set(title, { address: blobAddress(text, sha256), sha256 });
  }
  return found;
}

/** Header lines that let an address of a registry be read: none where it is public. A token is asked for anew, it may have ended. */
export function registryHeaders(host: Host, address: string): readonly string[] {
  const [, base = '', registry = ''] =
    /^(https?:\/\/([^/]+)\/v2\/.+)\/(?:blobs|manifests)\//.exec(address) ?? [];
  const probe = curlAsk(host, `${base}/tags/list`, LIMIT, []);
  return probe.status === 401 ? [authorization(host, { base, registry }, probe)] : [];
}

/** Asks a repository's addresses with the login that the first of them wanted. */
function asker(host: Host, place: RegistryPlace): (path: string, types: readonly string[]) => CurlText {
  let login: string[] = [];
  return (path, types) => {
    const address = `${place.base}${path}`;
    const accept = types.length === 0 ? [] : [`Accept: ${types.join(', ')}`];
    let answer = curlAsk(host, address, LIMIT, [...accept, ...login]);
    if (answer.status === 401 && login.length === 0) {
      login = [authorization(host, place, answer)];
      answer = curlAsk(host, address, LIMIT, [...accept, ...login]);
    }
    if (answer.code === 0) return answer;
    if (answer.status === 401 || answer.status === 403) throw refused(place, answer.status);
    throw networkFailure(address, answer);
  };
}

/** The Authorization header that a 401 wants. https://distribution.github.io/distribution/spec/auth/token/ */
function authorization(
  host: Host,
  place: Pick<RegistryPlace, 'base' | 'registry'>,
  answer: CurlText,
): string {
  const [, scheme = '', rest = ''] = /^www-authenticate:[ \t]*(\w+)[ \t]*(.*)$/im.exec(answer.head) ?? [];
  const parameter = (name: string) => new RegExp(`(?:^|[ ,])${name}="([^"]*)"`, 'i').exec(rest)?.[1];
  const encrypted = place.base.startsWith('https:');
  const login = encrypted || isLoopback(place.registry) ? loginFor(host, place.registry) : undefined;
  if (/^basic$/i.test(scheme)) {
    if (login === undefined) throw refused(place, 401);
    return `Authorization: Basic ${login}`;
  }
  const realm = parameter('realm');
  if (!/^bearer$/i.test(scheme) || realm === undefined || !/^https?:\/\//.test(realm))
    throw new Failure('network', `${place.registry}: asks for a login in a way that is not understood`);
  if (encrypted && !realm.startsWith('https:'))
    throw new Failure('network', `${place.registry}: asks for tokens unencrypted, refused`);
  const query = ['service', 'scope']
    .map((name) => [name, parameter(name)] as const)
    .filter((pair) => pair[1] !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value ?? '')}`);
  const address = `${realm}${realm.includes('?') ? '&' : '?'}${query.join('&')}`;
  const said = curlAsk(host, address, LIMIT, login === undefined ? [] : [`Authorization: Basic ${login}`]);
  if (said.status === 401 || said.status === 403) throw refused(place, said.status);
  if (said.code !== 0) throw networkFailure(address, said);
  const { token, access_token } = fields(said.text);
  const found = token ?? access_token;
  if (typeof found !== 'string' || /\s/.test(found)) throw refused(place, 401);
  return `Authorization: Bearer ${found}`;
}

/** base64 of USER:PASSWORD, as `docker login` keeps it; undefined where there is none. */
function loginFor(host: Host, registry: string): string | undefined {
  const auths = fields(fields(host.readText(LOGINS, LIMIT) ?? '{}').auths);
  const names =
    registry === 'docker.io' ? ['https://index.docker.io/v1/'] : [registry, `https://${registry}`];
  for (const name of names) {
    const { auth } = fields(auths[name]);
    if (typeof auth === 'string' && /^[A-Za-z0-9+/=]+$/.test(auth)) return auth;
  }
  return undefined;
}

function refused({ registry }: Pick<RegistryPlace, 'registry'>, status: number): Failure {
  return new Failure(
    'network',
    `${registry}: does not let this node read the release (${status})`,
    `it is not there or not public; a login for ${registry} goes into ${LOGINS}, as docker login writes it`,
  );
}

function isLoopback(registry: string): boolean {
  return /^(?:localhost|127\.\d+\.\d+\.\d+)(?::\d+)?$/.test(registry);
}

/** The fields of an object, or of a JSON text that holds one; none for anything else. */
function fields(value: unknown): Readonly<Record<string, unknown>> {
  let parsed = value;
  if (typeof value === 'string') {
    try {
      parsed = JSON.parse(value);
    } catch {
      return {};
    }
  }
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    ? (parsed as Readonly<Record<string, unknown>>)
    : {};
}
