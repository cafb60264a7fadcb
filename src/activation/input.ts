import { X509Certificate } from 'node:crypto';
import * as z from 'zod';
import { ARCHITECTURES } from '../support/architecture.ts';

const hexadecimal32 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits');

// Control, format and separator characters would end a line of a unit or environment file that the provider writes, or hide in a
// terminal; YAML readers also disagree on which of them may stand unescaped.
const oneLine = z
  .string()
  .regex(/^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]*$/u, 'must be one line without control or invisible characters');

const address = oneLine.refine((text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return (url?.protocol === 'http:' || url?.protocol === 'https:') && !/\s/.test(text);
}, 'must be an http or https address');

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----/g;

/** The certificates of a PEM text and nothing else (comments and keys left out), each ending in a newline. */
function certificateBlocks(text: string): string[] {
  return [...text.matchAll(PEM_BLOCK)].map(([, body = '']) => {
    const lines = body.replace(/\s+/g, '').match(/.{1,64}/g) ?? [];
    return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
  });
}

const certificates = z.string().transform((text, context) => {
  const blocks = certificateBlocks(text);
  try {
    if (blocks.length === 0) throw new Error('no certificate in it');
    for (const block of blocks) new X509Certificate(block);
  } catch {
    context.addIssue({ code: 'custom', message: 'must hold PEM certificates that can be read' });
    return z.NEVER;
  }
  return blocks.join('');
});

const variables = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a name of an environment variable'),
  oneLine,
);

// Keys as in internal/provider/config/config.go of provider-kairos 2.16, in camel case.
const kubernetesService = z.strictObject({
  enabled: z.boolean().default(true),
  args: z.array(oneLine).default([]).describe('Arguments of the service; systemd splits them at spaces'),
  replaceArgs: z.boolean().default(false).describe('These arguments are all; none of the provider’s own'),
  env: variables.default({}),
});

const peerToPeer = z.strictObject({
  networkToken: oneLine
    .min(1)
    .describe('Shared secret of the cluster, made by `edgevpn -g -b` or `kairosctl generate-token`'),
  networkId: oneLine.optional().describe('Tells clusters that share a token apart'),
  role: z
    .enum(['master', 'worker'])
    .optional()
    .describe('Fixes the role of this node; without it the nodes agree'),
  dns: z.boolean().optional(),
  disableDht: z.boolean().optional().describe('Find peers in the local network only'),
  minimumNodes: z.number().int().positive().optional(),
  highAvailability: z
    .strictObject({
      masterNodes: z.number().int().positive().optional().describe('Masters besides the first'),
      externalDatabase: oneLine.optional(),
    })
    .optional(),
  vpn: z
    .strictObject({
      create: z.boolean().optional(),
      use: z.boolean().optional(),
      env: variables.default({}),
    })
    .optional(),
});

const image = z.strictObject({
  url: address.describe('Where the node downloads it'),
  fileName: oneLine.min(1).describe('Name of the file in the release, for people'),
  sha256: hexadecimal32,
  size: z.number().int().positive().describe('Bytes'),
  rootHash: hexadecimal32.describe('dm-verity root hash'),
  place: oneLine
    .regex(/^oci(\+http)?:\/\/\S+$/, 'must be oci://HOST/REPOSITORY:TAG')
    .optional()
    .describe('The release in a registry that url is of, for sextant-node'),
});

const secondsOf = (value: number) => z.number().int().min(1).max(3600).default(value);

export const activationInput = z.strictObject({
  // One file name of the node's store, /run/extensions and systemd's units hangs on it.
  extensionName: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and dashes')
    .default('provider-kairos'),
  images: z
    .partialRecord(z.enum(ARCHITECTURES), image)
    .refine((images) => Object.keys(images).length > 0, 'needs an image for at least one architecture'),
  kubernetesVersion: z.string().regex(/^[\w.+-]+$/, 'must be a version like v1.36.3+k3s1'),
  trust: z
    .discriminatedUnion('mode', [
      z.strictObject({ mode: z.literal('pin') }),
      z.strictObject({
        mode: z.literal('strict'),
        certificatePem: certificates.optional().describe('Without it, what the firmware’s db holds'),
      }),
    ])
    .default({ mode: 'pin' }),
  node: z
    .strictObject({
      k3s: kubernetesService.optional(),
      k3sAgent: kubernetesService.optional(),
      k0s: kubernetesService.optional(),
      k0sWorker: kubernetesService.optional(),
      p2p: peerToPeer.optional(),
    })
    .refine(
      ({ p2p: _, ...services }) => Object.values(services).filter((service) => service?.enabled).length <= 1,
      'can enable one of k3s, k3sAgent, k0s and k0sWorker',
    )
    .default({}),
  proxy: z
    .strictObject({
      httpProxy: address.optional(),
      httpsProxy: address.optional(),
      noProxy: oneLine.optional(),
    })
    .optional(),
  caCertificatePem: certificates
    .optional()
    .describe('Certificate authorities trusted for the download, besides the node’s own'),
  adopt: z
    .boolean()
    .default(false)
    .describe('sextant-node takes the node over after the first merge; from then on it decides what runs'),
  mergeTimeoutSeconds: secondsOf(120).describe('What a merge may take; Kairos’ own limit is 5'),
  waitSeconds: secondsOf(300).describe('How long the network stage waits for a download under way'),
});
