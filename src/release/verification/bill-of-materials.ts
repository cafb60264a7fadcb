import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { withTemporaryFolder } from '../../support/files.ts';
import { isElf } from '../../tree/elf.ts';
import { MANIFEST_PATH } from '../../tree/manifest.ts';
import { type Extension, withExtension } from '../extension.ts';
import { goBuildInfoOf } from '../sbom/contents.ts';
import { MalformedBuildInfo } from '../sbom/go-build-info.ts';

/** What an image really holds: read out of it, not out of what it says of itself. */
export interface ImageContents {
  /** SHA-256 by path of every file. */
  readonly files: ReadonlyMap<string, string>;
  /** Go modules linked into its programs, "path version"; what has no version is left out. */
  readonly modules: ReadonlySet<string>;
}

/** Hashes every file in an image and reads the Go modules out of its programs. */
export function imageContents(image: string, context: Context): Promise<ImageContents> {
  return withExtension(image, context, ({ files }) =>
    withTemporaryFolder(join(context.cache, 'work', 'verify'), async (folder) => {
      const digests = new Map<string, string>();
      const modules = new Set<string>();
      const inodes = new Map<number, string>();
      for await (const { path, kind, inode } of files.list()) {
        if (kind !== 'file') continue;
        context.signal.throwIfAborted();
        const known = inodes.get(inode) ?? (await look(files, path, join(folder, 'program'), modules));
        inodes.set(inode, known);
        digests.set(path, known);
      }
      return { files: digests, modules };
    }),
  );
}

/** Digest of one file; a program is laid down for a moment, since its build information stands anywhere in it. */
async function look(
  files: Extension['files'],
  path: string,
  temporary: string,
  modules: Set<string>,
): Promise<string> {
  const hash = createHash('sha256');
  let program: FileHandle | undefined;
  let first = true;
  try {
    for await (const piece of files.stream(path)) {
      if (first && isElf(piece)) program = await open(temporary, 'w', 0o600);
      first = false;
      hash.update(piece);
      await program?.writeFile(piece);
    }
  } finally {
    await program?.close();
  }
  if (program !== undefined) await collectModules(temporary, modules);
  return hash.digest('hex');
}

async function collectModules(program: string, modules: Set<string>): Promise<void> {
  try {
    for (const { path, version } of (await goBuildInfoOf(program))?.modules ?? []) {
      if (/^v\d/.test(version)) modules.add(`${path} ${version}`);
    }
  } catch (error) {
    if (!(error instanceof MalformedBuildInfo)) throw error; // The build said so, and listed the file alone.
  }
}

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const spdxSchema = z.looseObject({
  spdxVersion: z.literal('SPDX-2.3'),
  name: z.string(),
  packages: z.array(
    z.looseObject({
      name: z.string(),
      versionInfo: z.string(),
      filesAnalyzed: z.boolean(),
      checksums: z.array(z.looseObject({ algorithm: z.string(), checksumValue: z.string() })).optional(),
    }),
  ),
  files: z.array(
    z.looseObject({
      fileName: z.string().startsWith('./'),
      checksums: z.array(z.looseObject({ algorithm: z.string(), checksumValue: z.string() })),
    }),
  ),
});
const hashes = z.array(z.looseObject({ alg: z.string(), content: z.string() }));
const cyclonedxSchema = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  metadata: z.looseObject({ component: z.looseObject({ hashes }) }),
  components: z.array(
    z.looseObject({
      type: z.string(),
      name: z.string(),
      version: z.string().optional(),
      hashes: hashes.optional(),
    }),
  ),
});

interface Listed {
  readonly image: string | undefined;
  readonly files: ReadonlyMap<string, string>;
  readonly parts: ReadonlySet<string>;
}

/**
 * Holds a bill of materials (SPDX or CycloneDX) against an image: made for it, naming every file as it is and every Go module in its
 * programs. Throws `verification` with the first thing that differs.
 */
export async function checkBillOfMaterials(
  file: string,
  image: { readonly file: string; readonly sha256: string },
  contents: ImageContents,
): Promise<void> {
  const fail = (why: string) =>
    new SextantError('verification', `${file}: ${why}`, {
      hint: 'do not rely on it; fetch the release again from where it was released',
    });
  const listed = parse(await readFile(file, 'utf8'), fail);
  if (listed.image !== image.sha256) {
    throw fail(`is about another image than ${image.file}: SHA-256 ${listed.image ?? 'not named'}`);
  }
  for (const [path, found] of contents.files) {
    if (path === MANIFEST_PATH) continue; // It lists the others, so it cannot be listed with them.
    const said = listed.files.get(path);
    if (said === undefined) throw fail(`does not list ${path}, which is in ${image.file}`);
    if (said !== found) throw fail(`lists another ${path} than the one in ${image.file}`);
  }
  const missing = [...listed.files.keys()].find((path) => !contents.files.has(path));
  if (missing !== undefined) throw fail(`lists ${missing}, which is not in ${image.file}`);
  const module = [...contents.modules].find((name) => !listed.parts.has(name));
  if (module !== undefined) throw fail(`does not list the Go module ${module}, which is in ${image.file}`);
}

function parse(text: string, fail: (why: string) => SextantError): Listed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail('is cut off, or not JSON');
  }
  const cyclonedx = cyclonedxSchema.safeParse(value);
  if (cyclonedx.success) {
    const { components, metadata } = cyclonedx.data;
    const sha256 = (list: z.output<typeof hashes> | undefined) =>
      list?.find(({ alg, content }) => alg === 'SHA-256' && digest.safeParse(content).success)?.content;
    return {
      image: sha256(metadata.component.hashes),
      files: new Map(
        components.flatMap((one) =>
          one.type === 'file' ? [[one.name, sha256(one.hashes) ?? ''] as const] : [],
        ),
      ),
      parts: new Set(components.map(({ name, version }) => `${name} ${version}`)),
    };
  }
  const spdx = spdxSchema.safeParse(value);
  if (!spdx.success) throw fail('not a bill of materials (SPDX 2.3 or CycloneDX)');
  const sha256 = (list: readonly { algorithm: string; checksumValue: string }[] | undefined) =>
    list?.find(({ algorithm }) => algorithm === 'SHA256')?.checksumValue;
  const { packages, files } = spdx.data;
  return {
    image: sha256(packages.find(({ filesAnalyzed }) => filesAnalyzed)?.checksums),
    files: new Map(files.map(({ fileName, checksums }) => [fileName.slice(1), sha256(checksums) ?? ''])),
    parts: new Set(packages.map(({ name, versionInfo }) => `${name} ${versionInfo}`)),
  };
}
