import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

// From the design: a room imports only rooms below it in this list.
const ROOMS = [
  'cli',
  'lab',
  'release',
  'activation',
  'tree',
  'hook',
  'lock',
  'sources',
  'recipe',
  'image',
  'node',
  'support',
];
// Rooms that stand alone: the image is pure, the node's program carries nothing of the workstation's.
const ALONE: Readonly<Record<string, readonly string[]>> = { image: ['support'], node: [], support: [] };
// What two rooms say to each other is typed in the lower one; the lock's types are the one shape that sources fill and the lock keeps.
const TYPES_ONLY = new Set(['sources -> lock/types.ts']);

interface Import {
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? sourceFiles(path) : path.endsWith('.ts') ? [path] : [];
  });
}

function imports(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const found = [...text.matchAll(/(?:(import|export)\s+(type\s+)?[^'";]*?from\s+|import\()\s*'(\.[^']+)'/g)];
  return found.flatMap(([, , type, specifier = '']) => {
    const target = relative('src', resolve(dirname(file), specifier));
    const from = relative('src', file).split('/')[0] ?? '';
    const to = target.split('/')[0] ?? '';
    return target.startsWith('..') ? [] : [{ file, from, to, target, typeOnly: type !== undefined }];
  });
}

const all = sourceFiles('src').flatMap(imports);

test('the check sees the imports there are', () => {
  expect(all.length).toBeGreaterThan(50);
  expect(all.some(({ from, to }) => from === 'cli' && to === 'release')).toBe(true);
});

test('every folder of src is a room of the design', () => {
  expect(readdirSync('src').filter((name) => !ROOMS.includes(name))).toEqual([]);
});

test('a room imports only rooms below it', () => {
  const wrong = all.filter(({ from, to, target, typeOnly }) => {
    if (from === to) return false;
    if (typeOnly && TYPES_ONLY.has(`${from} -> ${target}`)) return false;
    const allowed = ALONE[from] ?? ROOMS.slice(ROOMS.indexOf(from) + 1);
    return !allowed.includes(to);
  });
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
});

test('the node room uses nothing of Node.js: it runs under QuickJS', () => {
  const foreign = sourceFiles('src/node')
    .filter((file) => !file.endsWith('.d.ts'))
    .flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/(?:from|import|import\()\s*'([^.'\s][^'\s]*)'/g)].map(
        ([, specifier]) => `${file} imports ${specifier}`,
      ),
    );
  // The one door to the machine, whose other side is src/node/native.
  expect(foreign).toEqual(['src/node/host/quickjs.ts imports sextant:native']);
});
