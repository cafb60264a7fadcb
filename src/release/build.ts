import { readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeImage } from '../image/index.ts';
import type { Lock, LockedArchitecture } from '../lock/types.ts';
import { imagesFolder } from '../recipe/container-images.ts';
import { hasStandins, recipeDigest } from '../recipe/load.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { Architecture } from '../support/architecture.ts';
import { SextantError } from '../support/errors.ts';
import { canonicalJson, fileDigest, replaceFolder, sha256, withTemporaryFolder } from '../support/files.ts';
import { fill } from '../support/fill.ts';
import { bytesText, inStep } from '../support/progress.ts';
import { tagOfVersion } from '../support/registry/blob-address.ts';
import { SOURCE_DIGEST, VERSION } from '../support/version.ts';
import { buildTree, containerImagesFolder } from '../tree/index.ts';
import { releaseActivation } from './activation.ts';
import { isRegistryPlace } from './address.ts';
import { keepWithinLimit } from './cache-limit.ts';
import { verifyChecksums } from './checksums.ts';
import { materializeComponents } from './components.ts';
import { addressWords } from './hook-answers.ts';
import { hookOutcome } from './hook-step.ts';
import { type CompiledProgram, PINS } from './node-program/index.ts';
import { lockDigest } from './provenance/statement.ts';
import { readRelease } from './read.ts';
import { fileContents } from './sbom/contents.ts';
import { cyclonedxText } from './sbom/cyclonedx.ts';
import { takeInventory } from './sbom/inventory.ts';
import { spdxText } from './sbom/spdx.ts';
import { sealRelease, signedFields, writeCertificates } from './seal.ts';
import { openTools, type Session, type Tools } from './session.ts';
import { certificateDigests, openSigning, type Signing } from './signing.ts';
import { sourceDateEpoch } from './source-date.ts';
import type { Release, ReleasedComponent, ReleasedImage } from './types.ts';

export interface BuildRequest {
  readonly session: Session;
  readonly lock: Lock;
  readonly architectures: readonly Architecture[];
  /** Folder of the release; replaced as a whole when the build has succeeded. */
  readonly output: string;
  /** Bytes that the cache may have when the build is done; what the build used is kept all the same. */
  readonly cacheLimit: number;
}

/** Every inode's time and the SBOM's: 1980-01-01, or SOURCE_DATE_EPOCH. Seconds since 1970. */
const sourceDate = () => sourceDateEpoch() ?? 315532800;

/** What a release is made from, by digest; equal values of `build` give equal bytes. Reads the signing files, fetches nothing. */
export async function buildInputs({
  session,
  lock,
  architectures,
}: Pick<BuildRequest, 'session' | 'lock' | 'architectures'>): Promise<
  Pick<Release['inputs'], 'sextant' | 'recipe' | 'lock' | 'build'>
> {
  const inputs = {
    sextant: VERSION,
    recipe: recipeDigest(session.recipe),
    lock: lockDigest(lock),
  };
  const { mirrors: _mirrors, ...shaping } = session.recipe;
  const build = sha256(
    canonicalJson({
      ...inputs,
      source: SOURCE_DIGEST,
      shaping,
      architectures,
      date: sourceDate(),
      keys: await certificateDigests(session),
    }),
  );
  return { ...inputs, build };
}

/** Builds a release, or finds that the output holds it already: unchanged inputs and every file as its checksum says. */
export async function buildRelease(request: BuildRequest): Promise<{ release: Release; fresh: boolean }> {
  const { session, lock, architectures } = request;
  const output = resolve(request.output);
  const { build, ...inputs } = await buildInputs(request);
  const present = await upToDate(output, build, session);
  if (present) return { release: present, fresh: false };

  await refuseForeignFolder(output);
  const signing = await openSigning(session); // A wrong key is told at once.
  const tools = await openTools(session, lock.tools, architectures);
  const release = await withTemporaryFolder(output, async (folder) => {
    const images: ReleasedImage[] = [];
    for (const architecture of architectures) {
      images.push(await buildImage({ ...request, tools, architecture, folder, signing }));
    }
    const made: Release = {
      schemaVersion: 1,
      name: session.recipe.name,
      version: lock.distribution.version,
      distribution: lock.distribution.name,
      standin: hasStandins(session.recipe),
      url: servedFrom(session, lock),
      inputs: {
        ...inputs,
        build,
        ...(lock.tools.go === undefined ? {} : { go: lock.tools.go.version }),
        erofs: tools.erofsVersion,
        quickjs: PINS.quickjs.version,
      },
      images,
      activation: 'activation.yaml',
      ...signedFields(session.recipe.name, signing),
    };
    await writeCertificates(folder, made, signing);
    await writeFile(join(folder, made.activation), await releaseActivation(made, folder));
    await writeFile(join(folder, 'release.json'), `${JSON.stringify(made, null, 2)}\n`);
    await sealRelease({ folder, release: made, lock, host: session.host, signing });
    session.sources.signal.throwIfAborted();
    await replaceFolder(folder, output);
    return made;
  });
  await keepWithinLimit(session.sources, request.cacheLimit);
  return { release, fresh: true };
}

interface ImageStep extends BuildRequest {
  readonly tools: Tools;
  readonly architecture: Architecture;
  readonly folder: string;
  readonly signing: Signing | undefined;
}

async function buildImage(step: ImageStep): Promise<ReleasedImage> {
  const { session, lock, tools, architecture, folder } = step;
  const { recipe, sources } = session;
  const locked = lock.architectures[architecture];
  if (locked === undefined) throw new Error(`the lock does not hold ${architecture}`);
  const version = lock.distribution.version;
  const folders = await materializeComponents(session, locked.components, architecture);
  const hook = await hookOutcome(
    {
      session,
      tools,
      architecture,
      version,
      folders,
      downloads: locked.hookDownloads,
      logFile: join(sources.cache, 'logs', `${recipe.name}-${version}-${architecture}.log`),
    },
    locked,
  );
  const base = `${recipe.name}-${version}-${architecture}.sysext`;
  return withTemporaryFolder(join(sources.cache, 'work', 'tree'), async (work) => {
    const tree = await inStep(
      sources.progress,
      `tree (${architecture})`,
      () =>
        buildTree({
          upper: hook.upper,
          removed: hook.removed,
          components: recipe.components.map(({ name, files, standin, containerImages }) => ({
            component: name,
            standin,
            version: locked.components.find((entry) => entry.name === name)?.version ?? '',
            folder: folders.get(name) ?? '',
            files: containerImages
              ? [{ from: '**', to: containerImagesFolder(recipe.name), mode: '644' }]
              : files.map(({ from, to, mode }) => ({ from, to, ...(mode === undefined ? {} : { mode }) })),
          })),
          extensionName: recipe.name,
          ...imagesOnNode(recipe),
          architecture,
          plugin: recipe.provider.plugin,
          version,
          output: join(work, 'root'),
          nodeProgram: programFor(tools, architecture),
          getcap: tools.getcap,
          signal: sources.signal,
        }),
      ({ entries }) => {
        const files = entries.filter(({ kind, disposition }) => kind === 'file' && disposition !== 'dropped');
        return `${files.length} files, ${bytesText(files.reduce((sum, { size }) => sum + size, 0))}`;
      },
    );
    for (const warning of tree.warnings) sources.progress.say(`warning: ${architecture}: ${warning}`);
    const image = await writeImage({
      tree: tree.root,
      output: join(folder, `${base}.raw`),
      extensionName: recipe.name,
      architecture,
      compression: recipe.image.compression,
      ...(recipe.image.level === undefined ? {} : { level: recipe.image.level }),
      clusterSize: recipe.image.clusterSize,
      seed: sha256(canonicalJson({ name: recipe.name, architecture, version, locked })),
      timestamp: sourceDate(),
      mkfs: tools.mkfs,
      signer: step.signing?.signer,
      context: sources,
    });
    await writeFile(join(folder, `${base}.roothash`), `${image.rootHash}\n`);
    const [digest, contents] = await Promise.all([
      fileDigest(join(folder, `${base}.raw`), sources.signal),
      fileContents(tree.root, tree.entries, sources.signal),
    ]);
    for (const warning of contents.warnings) sources.progress.say(`warning: ${architecture}: ${warning}`);
    const described = {
      recipe,
      version,
      architecture,
      locked,
      files: contents.files,
      image: { file: `${base}.raw`, sha256: digest.sha256 },
      timestamp: sourceDate(),
    };
    const inventory = takeInventory(described);
    const [sbom, cyclonedx] = ['spdx', 'cdx'].map(
      (format) => `${recipe.name}-${version}-${architecture}.${format}.json`,
    ) as [string, string];
    await writeFile(join(folder, sbom), spdxText(described, inventory));
    await writeFile(join(folder, cyclonedx), cyclonedxText(described, inventory));
    return {
      architecture,
      file: `${base}.raw`,
      size: image.size,
      sha256: digest.sha256,
      rootHash: image.rootHash,
      rootHashFile: `${base}.roothash`,
      sbom,
      cyclonedx,
      compression: recipe.image.compression,
      partitions: image.partitions,
      ...(image.signature === undefined ? {} : { signature: image.signature }),
      components: released(session, locked),
      warnings: [...tree.warnings, ...contents.warnings],
    };
  });
}

/** Where the node's distribution reads container images, for an extension that carries some. */
function imagesOnNode(recipe: Recipe): { imagesOnNode?: string } {
  const folder = imagesFolder(recipe.distribution.name);
  const some = recipe.components.some(({ containerImages }) => containerImages);
  return some && folder !== undefined ? { imagesOnNode: folder } : {};
}

function programFor({ nodePrograms }: Tools, architecture: Architecture): CompiledProgram {
  const program = nodePrograms[architecture];
  if (program === undefined) throw new Error(`no sextant-node for ${architecture}`);
  return program;
}

function released(session: Session, locked: LockedArchitecture): ReleasedComponent[] {
  return locked.components.map(({ name, type, version }) => {
    const { standin = false, license } =
      session.recipe.components.find((component) => component.name === name) ?? {};
    return { name, type, version, standin, ...(license === undefined ? {} : { license }) };
  });
}

/** Folder address that a release of a recipe is served from, or its place in a registry, where a version stands in a tag. */
export function servedFrom(session: Session, lock: Lock): string {
  const { url } = session.recipe.release;
  const { version } = lock.distribution;
  const words = addressWords(version, session.host);
  const inTag = { version: tagOfVersion(words.version ?? ''), tag: tagOfVersion(version) };
  return fill(url, isRegistryPlace(url) ? { ...words, ...inTag } : words).replace(/\/+$/, '');
}

async function upToDate(output: string, build: string, session: Session): Promise<Release | undefined> {
  const release = await readRelease(output).catch(() => undefined);
  if (release?.inputs.build !== build) return undefined;
  try {
    await inStep(
      session.sources.progress,
      'what is there already',
      () => verifyChecksums(output, session.sources.signal),
      (files) => `${files} files as their checksums say`,
    );
    return release;
  } catch {
    session.sources.signal.throwIfAborted();
    return undefined;
  }
}

/** A folder with something else in it is never replaced. */
async function refuseForeignFolder(output: string): Promise<void> {
  const names = await readdir(output).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    throw error;
  });
  if (names.length === 0 || names.includes('release.json')) return;
  throw new SextantError('filesystem', `${output}: holds files that are not a release`, {
    hint: 'give another folder with --output, or empty this one',
  });
}
