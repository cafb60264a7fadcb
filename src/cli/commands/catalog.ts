import { addReleases, yankRelease } from '../../release/catalog/add.ts';
import { oneRelease } from '../../release/catalog/change.ts';
import { checkCatalog } from '../../release/catalog/check.ts';
import { readCatalog } from '../../release/catalog/fetch.ts';
import { readPublished } from '../../release/catalog/published.ts';
import { signCatalogFolder } from '../../release/catalog/sign.ts';
import type { Catalog, CatalogRelease } from '../../release/catalog/types.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { bytesText } from '../../support/progress.ts';
import { table } from '../print.ts';

interface SigningOptions {
  readonly key?: string;
  readonly unsigned?: boolean;
}

interface AddOptions extends SigningOptions {
  readonly address?: string;
  readonly oci?: readonly string[];
  readonly published?: string;
  readonly title?: string;
  readonly minimumKairos: string;
  readonly replace?: boolean;
}

export async function add(
  folder: string,
  releases: readonly string[],
  options: AddOptions,
  context: Context,
): Promise<void> {
  const { oci = [], published, minimumKairos: kairos, ...rest } = options;
  const pushed = published === undefined ? {} : await readPublished(published);
  const { before, after } = await addReleases(
    { folder, releases, ...rest, kairos, oci: { ...pushed, ...references(oci) } },
    context,
  );
  if (after.serial === before) process.stdout.write(`${folder}: has all of it already, serial ${before}\n`);
  else written(folder, after, options);
}

export async function yank(
  folder: string,
  version: string,
  options: SigningOptions & { readonly why?: string; readonly undo?: boolean; readonly name?: string },
): Promise<void> {
  const { why, undo = false } = options;
  if ((why === undefined) === !undo) {
    throw new SextantError('usage', 'yank: give either --why REASON or --undo', {
      hint: 'sextant catalog yank CATALOG VERSION --why "what is wrong with it"',
    });
  }
  const { before, after } = await yankRelease({ ...options, folder, version, why });
  if (after.serial === before) process.stdout.write(`${folder}: is so already, serial ${before}\n`);
  else written(folder, after, options);
}

export async function sign(
  folder: string,
  { key, trust }: { readonly key?: string; readonly trust?: string },
): Promise<void> {
  if (key === undefined) {
    throw new SextantError('usage', 'sign: with which key was not said', {
      hint: 'sextant catalog sign CATALOG --key NEW.key --trust OLD.crt',
    });
  }
  const { catalog } = await signCatalogFolder(folder, key, trust);
  written(folder, catalog, { key });
}

function written(folder: string, { serial, releases }: Catalog, { key }: SigningOptions): void {
  const yanked = releases.filter((release) => release.yanked !== undefined).length;
  process.stdout.write(
    `${folder}: serial ${serial}, ${releases.length} releases${yanked > 0 ? `, ${yanked} of them yanked` : ''}, ${key === undefined ? 'not signed' : 'signed'}\n`,
  );
  if (key === undefined) {
    process.stderr.write(
      'warning: without a signature a node believes whoever can write to where the catalog is served; --key signs it\n',
    );
  }
}

export async function show(
  place: string,
  version: string | undefined,
  options: { readonly name?: string; readonly json?: boolean },
  context: Context,
): Promise<void> {
  const { catalog, signature } = await readCatalog(place, context);
  const one = version === undefined ? undefined : oneRelease(catalog, version, options.name);
  if (options.json) {
    process.stdout.write(`${JSON.stringify(one ?? catalog)}\n`);
    return;
  }
  process.stdout.write(one === undefined ? list(catalog, signature !== undefined) : page(one));
}

function list({ title, serial, releases }: Catalog, signed: boolean): string {
  const rows = releases.map(({ name, version, distribution, images, date, yanked, standin }) => [
    `  ${version}`,
    distribution,
    name,
    images.map(({ architecture }) => architecture).join(' '),
    bytesText(Math.max(...images.map(({ size }) => size))),
    date,
    yanked === undefined ? (standin ? 'stand-ins: test equipment' : '') : `yanked: ${yanked.why}`,
  ]);
  const heading = `${title}: serial ${serial}, ${releases.length} releases, ${signed ? 'signed (not checked: sextant catalog check --trust)' : 'not signed'}`;
  return `${heading}\n\n${table(rows, [4])}\n`;
}

function page(release: CatalogRelease): string {
  const { kubernetes, requires, yanked } = release;
  const facts = [
    ...(yanked === undefined ? [] : [['YANKED', `${yanked.why} (${yanked.date})`]]),
    ['Release', `${release.name} ${release.version}`],
    ['Added', `${release.date}, serial ${release.since}`],
    ['Address', release.address],
    [
      'Kubernetes',
      `follows ${kubernetes.follows.join(' and ')}; agents of API servers ${kubernetes.apiServers.join(', ')}`,
    ],
    ['Needs', `systemd ${requires.systemd}, Kairos ${requires.kairos}`],
  ];
  const images = release.images.map(({ architecture, file, size, sha256, rootHash, signature, oci }) =>
    table([
      [`  ${architecture}`, `${file}, ${bytesText(size)}`],
      ['    SHA-256', sha256],
      ['    root hash', rootHash],
      ['    signature', signature === undefined ? 'none' : `by certificate ${signature.certificate}`],
      ['    OCI', oci ?? 'none'],
    ]),
  );
  const components = release.components.map(({ name, version, standin }) => [
    `  ${name}`,
    version,
    standin ? 'stand-in' : '',
  ]);
  return `${table(facts)}\n\nImages:\n${images.join('\n')}\n\nComponents:\n${table(components)}\n`;
}

export async function check(
  place: string,
  options: { readonly trust?: string; readonly seen?: string; readonly json?: boolean },
  context: Context,
): Promise<void> {
  const { trust, seen } = options;
  if (seen !== undefined && !/^\d{1,15}$/.test(seen))
    throw new SextantError('usage', `--seen ${seen}: not a serial`, { hint: 'a serial is a whole number' });
  const checked = await checkCatalog(
    place,
    { ...(trust === undefined ? {} : { trust }), ...(seen === undefined ? {} : { seen: Number(seen) }) },
    context,
  );
  const { catalog, signed, contents, mirror } = checked;
  const facts = { serial: catalog.serial, releases: catalog.releases.length, signed, contents };
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ ok: true, ...facts, ...(mirror === undefined ? {} : { mirror }) })}\n`,
    );
    return;
  }
  const signature = {
    trusted: `signed by ${trust}`,
    present: 'signed, by whom was not asked (--trust)',
    none: 'not signed',
  }[signed];
  process.stdout.write(
    `${place}: serial ${facts.serial}, ${facts.releases} releases, ${signature}${contents > 0 ? `, ${contents} files of contents as it says` : ''}${mirror === undefined ? '' : `; releases.json is for what the mirror ${mirror} holds`}\n`,
  );
}

/** `amd64=REGISTRY/NAME@sha256:...` by architecture; what is wrong is said where it is checked. */
function references(assignments: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    assignments.map((assignment) => {
      const equals = assignment.indexOf('=');
      if (equals < 1)
        throw new SextantError('usage', `--oci ${assignment}: not ARCHITECTURE=REFERENCE`, {
          hint: '--oci amd64=registry.example.org/k8s@sha256:...',
        });
      return [assignment.slice(0, equals), assignment.slice(equals + 1)];
    }),
  );
}
