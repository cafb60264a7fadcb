import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ended, type Running, startSextant } from '../sextant.ts';
import { type Behaviour, startServer, type TestServer } from '../sources/server.ts';
import { expectNoProcesses, unfinishedIn } from './remains.ts';
import {
  downloaded,
  makeCache,
  makeSmallRecipe,
  mirroredTo,
  releaseFiles,
  type SmallRecipe,
  UPSTREAM,
  VERSION,
} from './small-recipe.ts';

// Ctrl-C in the middle of a build, and the same command again.

const BEFORE = ['agent-provider-test', 'sextant.lock.json', 'sextant.yaml'];
const TOOL = noise(4 * 1024 * 1024);
const never = new Promise<void>(() => {});
let folder: string;
let server: TestServer;
let recipe: SmallRecipe;
let undisturbed: { lock: string; release: Record<string, string> };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-interrupt-'));
  server = await startServer();
  recipe = {
    hook: {
      get: `${UPSTREAM}/installer`,
      shell: 'sleep 0.5; echo program > /usr/bin/k3s; chmod 755 /usr/bin/k3s',
    },
    components: [downloaded('tool')],
    // A slow compression, so that an interruption hits it.
    more: { mirrors: mirroredTo(server.url), image: { level: 12 } },
  };
  serve({}, {});
  const place = await makePlace('undisturbed');
  expectDone(await start(place).ended);
  undisturbed = await made(place);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

interface Place {
  readonly recipe: string;
  readonly cache: string;
  readonly lock: string;
}

async function makePlace(name: string): Promise<Place> {
  const place = { recipe: join(folder, name, 'recipe'), cache: join(folder, name, 'cache') };
  await makeSmallRecipe(place.recipe, recipe);
  await makeCache(place.cache);
  await mkdir(join(place.cache, 'running'));
  return { ...place, lock: await readFile(join(place.recipe, 'sextant.lock.json'), 'utf8') };
}

const start = (place: Place): Running =>
  startSextant(['build'], { cwd: place.recipe, env: { SEXTANT_CACHE: place.cache } });

/** How the server answers for the component's file and for what the hook downloads; then as it should. */
function serve(tool: Behaviour, installer: Behaviour): void {
  server.on('/tool', { body: TOOL, ...tool }, { body: TOOL });
  server.on('/installer', { body: 'installed', ...installer }, { body: 'installed' });
}

async function made({ recipe: at }: Place) {
  return {
    lock: await readFile(join(at, 'sextant.lock.json'), 'utf8'),
    release: await releaseFiles(join(at, 'dist')),
  };
}

function expectDone({ code, stderr }: Ended): void {
  expect(code, stderr).toBe(0);
}

async function expectInterrupted(place: Place, ended: Ended): Promise<void> {
  expect(ended).toMatchObject({ code: 130, stdout: '' });
  expect(ended.stderr).toMatch(/^error: interrupted\nhint: run the same command again.*\n$/m);
  expect(ended.stderr.match(/^error:/gm)).toHaveLength(1);
  expect((await readdir(place.recipe)).sort()).toEqual(BEFORE);
  // The old lock or the whole new one.
  const lock = await readFile(join(place.recipe, 'sextant.lock.json'), 'utf8');
  expect([place.lock, undisturbed.lock]).toContain(lock);
  await expectNoProcesses(folder);
  expect(await unfinishedIn(place.cache)).toEqual([]);
}

/** Unfinished file systems of images: .dist.PID.RANDOM.tmp/.NAME.raw.PID.RANDOM.tmp/file-system. */
function fileSystems(at: string): string[] {
  try {
    return readdirSync(at, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('/file-system'),
    );
  } catch {
    return []; // A folder went while it was looked into.
  }
}

const logOf = (place: Place, name: string) => {
  const file = join(place.cache, 'logs', name);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
};

// One build that is interrupted again and again, each time further on.
test('an interrupted build leaves nothing half-written, and the next one goes on to the same bytes', async () => {
  const place = await makePlace('moments');
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const moments: [string, () => void, () => boolean][] = [
    [
      'before the first byte of a download',
      () => serve({ after: never }, {}),
      () => server.of('/tool').length > 0,
    ],
    [
      'in the middle of a download',
      () => serve({ stallAfter: 3_000_000 }, {}),
      () => (server.of('/tool').at(-1)?.sent ?? 0) > 0,
    ],
    [
      'while the hook waits for a download',
      () => serve({}, { after: never }),
      () => server.of('/installer').length > 0,
    ],
    [
      'while the hook works',
      () => serve({}, {}),
      () => logOf(place, `lock-small-${VERSION}-${architecture}.log`).includes('installer 200'),
    ],
    ['while the image is written', () => serve({}, {}), () => fileSystems(place.recipe).length > 0],
  ];
  for (const [name, prepare, reached] of moments) {
    server.requests.length = 0;
    prepare();
    const running = start(place);
    await expect.poll(reached, { timeout: 60_000, interval: 5, message: name }).toBe(true);
    running.interrupt();
    await expectInterrupted(place, await running.ended);
  }
  serve({}, {});
  expectDone(await start(place).ended);
  expect(await made(place)).toEqual(undisturbed);
});

test('wherever the interruption falls, the build is as before it or done', async () => {
  const place = await makePlace('sweep');
  serve({}, {});
  let interrupted = 0;
  for (let wait = 0; ; wait = wait * 2 + 100) {
    const running = start(place);
    // Until Node.js has loaded the program, the signal's own action ends it.
    await expect.poll(() => readdir(join(place.cache, 'running')), { interval: 5 }).toHaveLength(1);
    await sleep(wait);
    running.interrupt();
    const ended = await running.ended;
    if (ended.code === 0) break;
    interrupted += 1;
    await expectInterrupted(place, ended);
  }
  expect(interrupted).toBeGreaterThan(2);
  expect(await made(place)).toEqual(undisturbed);
});

test('a second Ctrl-C ends everything at once, the hook and its files too', async () => {
  const place = await makePlace('twice');
  serve({}, { after: never });
  server.requests.length = 0;
  const running = start(place);
  await expect.poll(() => server.of('/installer').length, { timeout: 60_000 }).toBe(1);
  const impatient = setInterval(() => running.interrupt(), 5);
  expect(await running.ended).toMatchObject({ code: 130, stdout: '' });
  clearInterval(impatient);
  await expectNoProcesses(folder);
  expect((await readdir(place.recipe)).sort()).toEqual(BEFORE);
  expect(await unfinishedIn(place.cache)).toEqual([]);
});

/** Bytes that do not compress, the same in every run. */
function noise(size: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < size; at += 32) pieces.push(createHash('sha256').update(String(at)).digest());
  return Buffer.concat(pieces);
}
