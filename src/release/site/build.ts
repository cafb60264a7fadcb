import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compareVersions } from '../../node/kubernetes/version-order.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { replaceFolder, withTemporaryFolder } from '../../support/files.ts';
import { bundledFolder } from '../../support/package.ts';
import { inStep } from '../../support/progress.ts';
import { checkCatalog } from '../catalog/check.ts';
import { contentsPath, type ImageContents, readContents } from '../catalog/contents.ts';
import {
  CATALOG_FILE,
  type CatalogImage,
  CONTENTS_FOLDER,
  KAIROS_FILE,
  SIGNATURE_FILE,
} from '../catalog/types.ts';
import { changesSince, predecessor } from './changes.ts';
import { indexPage } from './index-page.ts';
import { releasePage } from './release-page.ts';
import { minorOf, pageName } from './words.ts';

export interface SiteRequest {
  /** Folder of the catalog. */
  readonly catalog: string;
  readonly output: string;
  /** Address that the site will be served from; Kairos' cloud-config names it. */
  readonly url?: string;
  /** PEM file with the keys of which one must have signed the catalog. */
  readonly trust?: string;
  readonly context: Context;
}

export interface Site {
  readonly pages: number;
  /** Bytes of all files. */
  readonly size: number;
}

const ASSETS = ['index.js', 'release.js', 'site.css'];

/**
 * Renders the static site of a catalog: a page for all releases, one for each, and beside them the catalog itself with what Kairos reads, so
 * that the folder is all that has to be served. It appears whole or not at all; the same catalog gives the same bytes. Throws `verification`
 * for a catalog that is not what it should be, `filesystem` for a folder that holds something else.
 */
export async function buildSite({
  catalog: folder,
  output,
  url,
  trust,
  context,
}: SiteRequest): Promise<Site> {
  const served = checkedUrl(url);
  const checked = await inStep(context.progress, 'check the catalog', () =>
    checkCatalog(folder, trust === undefined ? {} : { trust }, context),
  );
  const { catalog } = checked;
  const signed = checked.signature !== undefined;
  await refuseForeign(output);
  return inStep(
    context.progress,
    'pages',
    (step) =>
      withTemporaryFolder(output, async (temporary) => {
        let size = 0;
        const write = async (name: string, text: string) => {
          size += Buffer.byteLength(text);
          await writeFile(join(temporary, name), text);
        };
        for (const name of ['assets', 'releases', CONTENTS_FOLDER])
          await mkdir(join(temporary, name), { recursive: true });
        for (const name of ASSETS)
          await write(join('assets', name), await readFile(join(bundledFolder('site'), name), 'utf8'));
        await write('index.html', indexPage(catalog, signed));
        const names = new Set<string>();
        const read = cachedContents(folder);
        for (const release of catalog.releases) {
          context.signal.throwIfAborted();
          const name = pageName(release);
          if (names.has(name))
            throw new SextantError('input', `${folder}: two releases would have the page ${name}`);
          names.add(name);
          const before = predecessor(release, catalog.releases);
          const text = releasePage({
            catalog,
            signed,
            release,
            contents: await Promise.all(release.images.map(read)),
            changes: before === undefined ? undefined : await changesSince(before, release, read),
            newer: catalog.releases.find(
              (other) =>
                other.yanked === undefined &&
                other.name === release.name &&
                other.distribution === release.distribution &&
                minorOf(other) === minorOf(release) &&
                other.version !== release.version &&
                compareVersions(other.version, release.version) > 0,
            ),
            served,
          });
          await write(join('releases', name), text);
          step.update({ note: `${names.size} of ${catalog.releases.length}` });
        }
        await copyCatalog(
          folder,
          temporary,
          signed,
          catalog.releases.flatMap(({ images }) => images),
        );
        context.signal.throwIfAborted();
        await replaceFolder(temporary, output);
        return { pages: names.size + 1, size };
      }),
    ({ pages }) => `${pages} pages`,
  );
}

/** Each file is read once, though two pages need it: its own and the next one's. */
function cachedContents(folder: string): (image: CatalogImage) => Promise<ImageContents> {
  const known = new Map<string, Promise<ImageContents>>();
  return (image) => {
    const found = known.get(image.contents) ?? readContents(folder, image);
    known.set(image.contents, found);
    return found;
  };
}

async function copyCatalog(
  from: string,
  to: string,
  signed: boolean,
  images: readonly CatalogImage[],
): Promise<void> {
  const files = [CATALOG_FILE, KAIROS_FILE, ...(signed ? [SIGNATURE_FILE] : [])];
  for (const name of files) await copyFile(join(from, name), join(to, name));
  for (const digest of new Set(images.map(({ contents }) => contents)))
    await copyFile(contentsPath(from, digest), contentsPath(to, digest));
}

/** A folder with something else in it is never replaced. */
async function refuseForeign(output: string): Promise<void> {
  const names = await readdir(output).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    throw error;
  });
  if (names.length === 0) return;
  const index = await readFile(join(output, 'index.html'), 'utf8').catch(() => '');
  if (index.includes('<meta name="generator" content="sextant">')) return;
  throw new SextantError('filesystem', `${output}: holds files that are not a site of sextant`, {
    hint: 'give another folder with --output, or empty this one',
  });
}

function checkedUrl(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return url.replace(/\/+$/, '');
  throw new SextantError('usage', `--url ${url}: not an http(s) address`, {
    hint: '--url https://example.org/k8s',
  });
}
