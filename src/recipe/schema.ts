import { z } from 'zod';
import { ARCHITECTURES } from '../support/architecture.ts';

// The schema is the documentation: every `describe` ends up in the JSON Schema that editors read (schema/sextant.schema.json)
// and in docs/recipe.md.

const absolutePath = z
  .string()
  .regex(/^\/(?!.*(?:^|\/)\.\.(?:\/|$)).+$/, 'must be an absolute path without ".."');
const relativePath = z
  .string()
  .regex(/^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$)).+$/, 'must be a relative path without ".."');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits');
const version = z.string().min(1);

/** Words that `{arch}` stands for in a text of the recipe, where upstream does not use amd64 and arm64. */
const archNames = z
  .strictObject({ amd64: z.string(), arm64: z.string() })
  .default({ amd64: 'amd64', arm64: 'arm64' })
  .describe('What {arch} stands for in this source');

export const githubReleaseSource = z.strictObject({
  type: z.literal('github-release'),
  repository: z.string().regex(/^[\w.-]+\/[\w.-]+$/, 'must be OWNER/NAME'),
  version: version.describe(
    'A tag (v1.2.3), a range (^1.2, ~1.36, >=1.2 <2), "latest", or "distribution": the version that the distribution has; the lock resolves the last three',
  ),
  asset: z.string().describe('Name of the asset; {version}, {tag} and {arch} are filled in'),
  archNames,
  checksums: z
    .string()
    .optional()
    .describe('Name of the asset that holds SHA-256 sums; {version}, {tag} and {arch} are filled in'),
});

export const urlSource = z.strictObject({
  type: z.literal('url'),
  url: z.string().describe('http or https address; {arch}, {version} and {tag} are filled in'),
  version: version
    .default('0')
    .describe(
      'What to call this version; an address does not say. "distribution" is the version that the distribution has',
    ),
  archNames,
  sha256: z
    .partialRecord(z.enum(ARCHITECTURES), sha256)
    .optional()
    .describe('Expected SHA-256 by architecture; without it the first lock trusts what it gets'),
  checksums: z
    .string()
    .optional()
    .describe('Address of a file of SHA-256 sums that names the last part of url'),
});

export const goModuleSource = z.strictObject({
  type: z.literal('go-module'),
  module: z.string().optional().describe('Module path; needs version'),
  version: version.optional().describe('Exact module version; with directory: what to call it'),
  directory: z
    .string()
    .optional()
    .describe('A module of your own, relative to the recipe, instead of module'),
  package: relativePath.default('.').describe('Package to build, relative to the module'),
  binary: z
    .string()
    .regex(/^[\w.+-]+$/)
    .describe('File name of the program'),
  overlay: z
    .record(relativePath, z.string())
    .default({})
    .describe(
      'Folders put into the module before the build: folder in the module -> folder relative to the recipe',
    ),
  replace: z
    .array(
      z.strictObject({
        from: z
          .string()
          .describe('Left side of the rewritten replace lines; a trailing * matches any module path'),
        version: version.describe('Module version the matching local replaces turn into'),
      }),
    )
    .default([])
    .describe(
      'Rewrites replace lines that point into the module source (=> ./staging/src/X) to published modules (=> X VERSION)',
    ),
  tags: z.array(z.string()).default([]),
  ldflags: z.array(z.string()).default(['-s', '-w']).describe('Linker flags; {version} is filled in'),
});

export const debianSource = z.strictObject({
  type: z.literal('debian'),
  package: z.string().regex(/^[a-z0-9][a-z0-9.+-]+$/),
  suite: z.string().default('trixie'),
  version: version
    .optional()
    .describe('Exact package version; the default is the newest in the suite when locking'),
});

export const ociSource = z.strictObject({
  type: z.literal('oci'),
  reference: z.string().describe('REGISTRY/REPOSITORY:TAG or @sha256:...; the lock pins the digest'),
  version: version.default('0'),
  layer: z
    .string()
    .optional()
    .describe('Only layers of this media type, or this org.opencontainers.image.title'),
});

export const fileSource = z.strictObject({
  type: z.literal('file'),
  path: z.string().describe('A file, or a folder, relative to the recipe; {arch} is filled in'),
  version: version.default('0'),
  archNames,
});

export const source = z.discriminatedUnion('type', [
  githubReleaseSource,
  urlSource,
  goModuleSource,
  debianSource,
  ociSource,
  fileSource,
]);

const installedFile = z.strictObject({
  from: z
    .string()
    .describe(
      'Path in the archive, package or folder; the file itself where the source is one file. A trailing /** takes a folder',
    ),
  to: absolutePath.describe('Where it goes on the node; must lie in a merged hierarchy'),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/)
    .optional()
    .describe('Octal permissions; the default keeps what the source has'),
});

export const component = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9.+-]*$/),
  license: z.string().optional().describe('SPDX licence expression for the SBOM'),
  standin: z
    .boolean()
    .default(false)
    .describe('True for test equipment; every output that names the component says so'),
  source,
  files: z
    .array(installedFile)
    .default([])
    .describe('Files that go into the extension; none for what only the hook asks for'),
  containerImages: z
    .boolean()
    .default(false)
    .describe(
      'True where the source is archives of container images (k3s-airgap-images-ARCH.tar.zst): the extension carries them whole, and the node’s k3s or k0s imports them at its start',
    ),
});

/** What the sandbox answers itself: an address the hook asks for, served from a component instead of the network. */
const hookAnswer = z.strictObject({
  url: z
    .url()
    .describe(
      'The address the hook asks for; {arch}, {version} and {tag} (percent-encoded version) are filled in',
    ),
  component: z.string().describe('Name of the component whose file is served'),
  file: z.string().optional().describe('Path in that component; needed when it holds several files'),
});

const hookChecksum = z.strictObject({
  url: z
    .string()
    .describe('Address of a download of the hook; {arch}, {suffix}, {version} and {tag} are filled in'),
  checksums: z.string().describe('Address of the file of SHA-256 sums published for it'),
});

export const hook = z.strictObject({
  timeoutSeconds: z.number().int().positive().default(900),
  rootSuite: z.string().default('trixie').describe('Debian suite of the sandbox root'),
  rootPackages: z
    .array(z.string())
    .default([
      'dash',
      'bash',
      'coreutils',
      'sed',
      'grep',
      'mawk',
      'findutils',
      'tar',
      'gzip',
      'curl',
      'wget',
      'ca-certificates',
      'openssl',
      'systemd',
      'iproute2',
      'mount',
      'util-linux',
      'hostname',
    ])
    .describe('Packages of the root file system the hook runs over, with what they depend on'),
  environment: z.record(z.string(), z.string()).default({}),
  answers: z.array(hookAnswer).default([]),
  checksums: z
    .array(hookChecksum)
    .optional()
    .describe('Where upstream publishes sums for what the hook downloads; k3s and k0s have defaults'),
});

const matrixRow = z.strictObject({
  distribution: z
    .string()
    .optional()
    .describe('k3s, k0s, or any distribution the provider knows; the default is distribution.name'),
  repository: z
    .string()
    .optional()
    .describe('As distribution.repository, where the row names another distribution'),
  versions: z
    .array(version)
    .min(1)
    .describe(
      'As distribution.version: exact, ranges or channels; each becomes a release with a lock of its own',
    ),
  architectures: z
    .array(z.enum(ARCHITECTURES))
    .min(1)
    .optional()
    .describe("The default is the recipe's architectures"),
});

export const recipeSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/)
    .default('provider-kairos')
    .describe('Name of the extension: NAME.sysext.raw, extension-release.NAME'),
  distribution: z.strictObject({
    name: z.string().describe('k3s, k0s, or any distribution the provider knows'),
    version: version.describe(
      'Exact (v1.36.3+k3s1), a range (~1.36) or a channel (stable, latest, v1.36); the lock resolves the last two',
    ),
    repository: z
      .string()
      .optional()
      .describe(
        'GitHub repository whose releases a range or channel is resolved against; k3s and k0s have defaults',
      ),
    standin: z.boolean().default(false).describe('True where the distribution is test equipment'),
  }),
  provider: z
    .strictObject({
      component: z
        .string()
        .default('provider-kairos')
        .describe('Name of the component that holds the plug-in'),
      plugin: z
        .string()
        .regex(/^agent-provider-[\w.-]+$/)
        .default('agent-provider-kairos')
        .describe('File name of the plug-in, as Kairos looks for it'),
      family: z.string().default('debian').describe('OS family told to the hook'),
      config: z.string().default('').describe('Configuration text told to the hook'),
    })
    .prefault({}),
  components: z.array(component).min(1),
  architectures: z.array(z.enum(ARCHITECTURES)).min(1).default(['amd64', 'arm64']),
  matrix: z
    .array(matrixRow)
    .default([])
    .describe(
      'What `sextant release` builds: one release for each version of each row; empty, it builds the recipe as it is',
    ),
  hook: hook.prefault({}),
  image: z
    .strictObject({
      compression: z
        .enum(['lz4hc', 'lz4', 'zstd', 'none'])
        .default('lz4hc')
        .describe('lz4hc is read by every supported kernel; zstd needs Linux 6.10'),
      level: z
        .number()
        .int()
        .min(1)
        .max(22)
        .optional()
        .describe("Compression level; the default is mkfs.erofs' own"),
      clusterSize: z
        .number()
        .int()
        .min(4096)
        .max(1048576)
        .default(65536)
        .describe('Largest physical cluster in bytes'),
    })
    .prefault({}),
  signing: z
    .strictObject({
      key: z
        .string()
        .describe(
          'PEM file of an RSA key that only its owner may read, relative to the recipe, or the pkcs11: address of a key in a token; the pass phrase or PIN comes from the environment',
        ),
      certificate: z.string().describe('PEM certificate file of that key, relative to the recipe'),
      alsoTrust: z
        .array(z.string())
        .default([])
        .describe(
          "Further certificate files that strict nodes are to trust, relative to the recipe: the next key's before a rotation, the earlier one's after it",
        ),
    })
    .optional()
    .describe(
      'Signs the root hashes, SHA256SUMS and the provenance; without it the image carries no signature and the activation pins the root hash only',
    ),
  release: z
    .strictObject({
      url: z
        .url()
        .default('http://127.0.0.1:8080')
        .describe(
          'Folder address the release will be served from, or oci://HOST/REPOSITORY[:TAG]; {version} and {tag} are filled in',
        ),
    })
    .prefault({}),
  mirrors: z
    .array(
      z.strictObject({
        from: z.string(),
        to: z
          .string()
          .regex(/^(?!oci:)|^oci:\/\/[^/@]+\/[^:@]+$/, 'must be oci://HOST/REPOSITORY, without a tag')
          .describe(
            'Another prefix, or oci://HOST/REPOSITORY: a registry that holds each file by its digest',
          ),
      }),
    )
    .default([])
    .describe('Prefix rewrites for closed networks: an address that begins with from is asked at to instead'),
});

export type Recipe = z.output<typeof recipeSchema>;
export type RecipeInput = z.input<typeof recipeSchema>;
export type Component = z.output<typeof component>;
export type InstalledFile = z.output<typeof installedFile>;
export type Source = z.output<typeof source>;
export type SourceType = Source['type'];
export type SourceOf<T extends SourceType> = Extract<Source, { type: T }>;
