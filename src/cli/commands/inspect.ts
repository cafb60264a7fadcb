import { type Extension, withExtension } from '../../release/extension.ts';
import type { Context } from '../../support/context.ts';
import { bytesText } from '../../support/progress.ts';
import type { TreeEntry } from '../../tree/types.ts';
import { table } from '../print.ts';

/** Shows an extension as a page for people, or all of it as JSON. */
export async function inspect(
  file: string,
  options: { readonly files?: boolean; readonly json?: boolean },
  context: Context,
): Promise<void> {
  await withExtension(file, context, async (extension) => {
    const { image, files, manifest } = extension;
    if (options.json) {
      process.stdout.write(
        `${JSON.stringify({ file, image, fileSystem: files.superblock, manifest: manifest ?? null })}\n`,
      );
      return;
    }
    const sections = [heading(file, extension), partitions(extension)];
    if (manifest === undefined) {
      sections.push('Not built by sextant: no manifest in it. `--files` lists what it holds.');
    } else {
      sections.push(components(manifest.components, manifest.entries), outcomes(manifest.entries));
    }
    if (options.files) sections.push(await paths(extension));
    else sections.push('`--files` lists every path with what happened to it.');
    process.stdout.write(`${sections.join('\n\n')}\n`);
  });
}

function heading(file: string, { image, files, manifest }: Extension): string {
  const rows = [
    [
      'Extension',
      manifest === undefined ? file : `${manifest.name} ${manifest.version} (${manifest.architecture})`,
    ],
    ['File', `${file}, ${bytesText(image.size)}`],
    [
      'File system',
      `erofs, ${files.superblock.compression.join(', ') || 'uncompressed'}, UUID ${files.superblock.uuid}`,
    ],
    ['Root hash', image.rootHash],
    ['Salt', image.salt],
  ];
  const { signature } = image;
  if (signature === undefined) rows.push(['Signature', 'none']);
  else {
    const signer = signature.subject === undefined ? '' : `, ${signature.subject.replaceAll('\n', ', ')}`;
    rows.push([
      'Signature',
      `by certificate ${signature.certificateFingerprint}${signer} (not checked: sextant verify --cert)`,
    ]);
  }
  return table(rows);
}

function partitions({ image }: Extension): string {
  const rows = image.partitions.map(({ designator, offset, size, uuid }) => [
    `  ${designator}`,
    bytesText(size),
    `at ${offset}`,
    uuid,
  ]);
  return `Partitions:\n${table(rows, [1])}`;
}

function components(
  known: readonly { readonly name: string; readonly version?: string; readonly standin?: boolean }[],
  entries: readonly TreeEntry[],
): string {
  const names = new Set([...known.map(({ name }) => name), ...entries.map(({ component }) => component)]);
  const rows = [...names].map((name) => {
    const own = entries.filter(
      ({ component, disposition }) => component === name && disposition !== 'dropped',
    );
    const size = own.reduce((sum, entry) => sum + entry.size, 0);
    const about = known.find((component) => component.name === name);
    const what =
      name === 'hook' ? 'laid down by the provider' : name === 'sextant' ? 'added' : (about?.version ?? '');
    return {
      size,
      cells: [
        `  ${name}`,
        bytesText(size),
        `${own.length} path${own.length === 1 ? '' : 's'}`,
        what,
        about?.standin ? 'stand-in' : '',
      ],
    };
  });
  rows.sort((a, b) => b.size - a.size);
  return `By component, before compression:\n${table(
    rows.map(({ cells }) => cells),
    [1, 2],
  )}`;
}

function outcomes(entries: readonly TreeEntry[]): string {
  const meaning = {
    delivered: 'where they were written',
    relocated: 'moved to where an extension can deliver them',
    factory: 'carried as a copy for /etc',
    added: 'by sextant',
    dropped: 'scratch of the hook, left out',
  } as const;
  const rows = Object.entries(meaning).flatMap(([disposition, text]) => {
    const own = entries.filter((entry) => entry.disposition === disposition);
    return own.length === 0 ? [] : [[`  ${disposition}`, `${own.length}`, text]];
  });
  return `What happened to each path:\n${table(rows, [1])}`;
}

async function paths({ manifest, files }: Extension): Promise<string> {
  const rows: string[][] = [];
  if (manifest === undefined) {
    for await (const { path, kind, mode, size, target } of files.list()) {
      rows.push([
        octal(mode),
        kind === 'file' ? bytesText(size) : kind,
        path,
        target === undefined ? '' : `-> ${target}`,
      ]);
    }
    return `Files:\n${table(rows, [1])}`;
  }
  for (const entry of manifest.entries) {
    const notes = [
      entry.target === undefined ? '' : `-> ${entry.target}`,
      entry.from === undefined
        ? ''
        : entry.disposition === 'dropped'
          ? `(${entry.from})`
          : `from ${entry.from}`,
    ];
    rows.push([
      entry.disposition,
      octal(entry.mode),
      entry.kind === 'file' ? bytesText(entry.size) : entry.kind,
      entry.component,
      [entry.path, ...notes].filter((text) => text !== '').join(' '),
    ]);
  }
  return `Files:\n${table(rows, [2])}`;
}

const octal = (mode: number) => (mode & 0o7777).toString(8).padStart(4, '0');
