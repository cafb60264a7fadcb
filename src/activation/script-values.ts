import { ARCHITECTURE_NAMES, type Architecture } from '../support/architecture.ts';
import type { NodePaths } from './paths.ts';
import { UNIT_NAME } from './paths.ts';
import { shellWord, shownAddress } from './quoting.ts';
import type { Activation } from './types.ts';

export interface ScriptTiming {
  /** Seconds before the second try; doubled after each failure. */
  readonly firstDelay: number;
  /** Most seconds between two tries. */
  readonly longestDelay: number;
  /** Seconds the network stage waits for a network that is not there yet. */
  readonly patience: number;
}

export const NODE_TIMING: ScriptTiming = { firstDelay: 5, longestDelay: 300, patience: 30 };

// Type UUIDs of root-verity-sig and usr-verity-sig, amd64 and arm64 (Discoverable Partitions Specification).
const SIGNATURE_PARTITIONS = [
  '41092b05-9fc8-4523-994f-2def0408b176',
  '6db69de6-29f4-4758-a7a5-962190f00ce3',
  'e7bb33fb-06cf-4e81-8273-e543b413e2e2',
  'c23ce4ff-44bd-4b00-b2d4-b41b3419e02a',
];

/** A UUID as a GPT stores it: the first three fields are little-endian (UEFI specification, appendix A). */
export function storedUuid(uuid: string): string {
  const fields = uuid.split('-');
  const swapped = fields.slice(0, 3).map((field) => field.match(/../g)?.reverse().join('') ?? '');
  return [...swapped, ...fields.slice(3)].join('');
}

function assignments(values: Readonly<Record<string, string>>, indent = ''): string {
  return Object.entries(values)
    .map(([name, value]) => `${indent}${name}=${shellWord(value)}`)
    .join('\n');
}

function imageCases(images: Activation['images']): string {
  const cases = (Object.keys(images) as Architecture[]).sort().flatMap((architecture) => {
    const image = images[architecture];
    if (image === undefined) return [];
    const values = {
      url: image.url,
      shown_url: shownAddress(image.url),
      sha256: image.sha256,
      size: String(image.size),
      root_hash: image.rootHash,
      ...(image.place === undefined ? {} : { place: image.place }),
    };
    return [`${ARCHITECTURE_NAMES[architecture].machine})\n${assignments(values, '  ')}\n  ;;`];
  });
  return `url='' shown_url='' sha256='' size=0 root_hash='' place=''
case $(uname -m) in
${cases.join('\n')}
esac`;
}

/** The head of the script: everything in it that differs from node to node, each value as one quoted word. */
export function scriptValues(activation: Activation, paths: NodePaths, timing: ScriptTiming): string {
  const { proxy, trust } = activation;
  const proxyVariables = Object.entries({
    http_proxy: proxy?.httpProxy,
    https_proxy: proxy?.httpsProxy,
    no_proxy: proxy?.noProxy,
  }).flatMap(([name, value]) => (value === undefined ? [] : [`export ${name}=${shellWord(value)}`]));
  const values = {
    name: activation.extensionName,
    kubernetes: activation.kubernetesVersion,
    trust: trust.mode,
    certificate:
      trust.mode === 'pin' ? '' : trust.certificatePem === undefined ? 'firmware' : paths.certificate,
    store: paths.store,
    enabled: paths.enabled,
    runtime: paths.runtime,
    units: paths.units,
    unit: UNIT_NAME,
    sentinels: paths.sentinels,
    records: paths.records,
    release_file: paths.releaseFile,
    self_activation: paths.selfActivation,
    block_devices: paths.blockDevices,
    kernel_log: paths.kernelLog,
    ca: activation.caCertificatePem === undefined ? '' : `${paths.runtime}/ca.pem`,
    first_delay: String(timing.firstDelay),
    longest_delay: String(timing.longestDelay),
    patience: String(timing.patience),
    wait_seconds: String(activation.waitSeconds),
  };
  return [
    assignments(values),
    `trust_stores=${shellWord(paths.trustStores.join('\n'))}`,
    `image_folders=${shellWord([paths.enabled, ...paths.otherEnabled].join('\n'))}`,
    `signature_partitions=${shellWord(SIGNATURE_PARTITIONS.map(storedUuid).join('\n'))}`,
    ...proxyVariables,
    '',
    imageCases(activation.images),
  ].join('\n');
}
