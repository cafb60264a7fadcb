import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runCommandLine } from '../../../src/node/cli/run.ts';
import type { Host } from '../../../src/node/host/host.ts';
import { adopt } from '../../../src/node/model/adopt.ts';
import { settled } from '../../../src/node/model/datastore.ts';
import { isRefusal } from '../../../src/node/model/effects.ts';
import { RECORD_FILE, storeFile, storeLink } from '../../../src/node/model/paths.ts';
import { parseRecords, recordsText } from '../../../src/node/model/records-text.ts';
import { DEFAULT_SETTINGS, type ExtensionFile, type Records } from '../../../src/node/model/types.ts';
import { observe } from '../../../src/node/observe/observe.ts';
import { PROGRAMS } from '../../../src/node/programs.ts';
import { guardedChanges } from '../changes.ts';
import { sha256 } from '../download/example.ts';
import { place, program, realPrograms, rootedHost } from '../rooted.ts';

export const NAME = 'provider-kairos';
const REAL = ['curl', 'sha256sum', 'cp', 'openssl'];
const STORE = '/var/lib/kairos/extensions';

/** An installed, running Kairos in a folder: what sextant-node's commands see of it, with programs that note how they are called. */
export interface FakeNode {
  readonly root: string;
  readonly host: Host;
  /** Runs sextant-node with these arguments; `through` puts something between it and the node. */
  run(
    args: readonly string[],
    through?: (host: Host) => Host,
    env?: Readonly<Record<string, string>>,
  ): { code: number; out: string; err: string };
  /** Calls of programs that changed something, since the last time. */
  calls(): string[];
  /** Lays an image down as the activation does: in the store, linked, merged. */
  activated(image: Uint8Array, rootHash: string, kubernetes?: string): ExtensionFile;
  /** The first records, its pair found good. */
  adopted(file: ExtensionFile, kubernetes?: string): Records;
  records(): Records;
  write(records: Records): void;
  /** Every path below the root with what it is, but for what is this boot's. */
  durable(): string[];
  remove(): void;
}

export function fakeNode(): FakeNode {
  const root = mkdtempSync(join(tmpdir(), 'sextant-commands-'));
  realPrograms(root, REAL);
  for (const name of Object.keys(PROGRAMS).filter((one) => !REAL.includes(one))) program(root, name);
  program(
    root,
    'systemctl',
    'if [ "$1" = is-active ]; then shift; for unit; do cat "$ROOT/units/$unit" 2>/dev/null || echo inactive; done; exit 3; fi\nif [ "$1" = stop ]; then for unit; do rm -f "$ROOT/units/$unit"; done; fi',
  );
  program(root, 'systemd-run', 'echo active >"$ROOT/units/sextant-upgrade.timer"');
  program(root, 'losetup', '[ "$1" = --detach ] || echo /dev/loop9');
  program(root, 'dmsetup', 'cat "$ROOT/verity" 2>/dev/null; true');
  program(
    root,
    'veritysetup',
    'if [ -e "$ROOT/bad-tree" ]; then echo "Verification failed at position 4096." >&2; exit 2; fi',
  );
  place(root, '/run/cos/active_mode', '1');
  place(root, '/etc/kairos-release', 'KAIROS_NAME="kairos-core-debian-13"\nKAIROS_RELEASE="v4.1.0"\n');
  place(root, '/proc/sys/kernel/random/boot_id', 'boot-1\n');
  place(root, '/proc/sys/kernel/hostname', 'node-1\n');
  place(root, '/proc/self/mountinfo', '');
  place(root, '/oem/90_custom.yaml', '#cloud-config\n');
  symlinkSync(process.execPath, `${root}/proc/self/exe`);
  for (const folder of [
    'opt',
    'units',
    'run/extensions',
    'run/systemd/system',
    `${STORE.slice(1)}/active`,
    `${STORE.slice(1)}/passive`,
  ])
    mkdirSync(`${root}/${folder}`, { recursive: true });
  const spoken = { out: '', err: '' };
  const hostWith = (args: readonly string[], env: Readonly<Record<string, string>> = {}) => ({
    ...rootedHost(root, {
      args,
      env,
      out: (text) => {
        spoken.out += text;
      },
      err: (text) => {
        spoken.err += text;
      },
    }),
    userId: () => 0,
    sleep: () => {},
    wallClock: () => Date.UTC(2026, 10, 22, 10, 5),
  });
  const host = hostWith([]);
  const node: FakeNode = {
    root,
    host,
    run(args, through = (one) => one, env = {}) {
      spoken.out = '';
      spoken.err = '';
      const code = runCommandLine(through(hostWith(args, env)));
      return { code, ...spoken };
    },
    calls() {
      const file = `${root}/calls`;
      const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
      rmSync(file, { force: true });
      return lines.filter((line) => !/^(systemctl is-active|dmsetup)/.test(line));
    },
    activated(image, rootHash, kubernetes = 'v1.33.4+k3s1') {
      const file = { name: NAME, sha256: sha256(image), rootHash, size: image.length };
      place(root, storeFile(file), image);
      place(root, storeFile(file).replace(/raw$/, 'roothash'), rootHash);
      place(
        root,
        storeFile(file).replace(/raw$/, 'url'),
        `http://h.invalid/${kubernetes}/image.sysext.raw\n`,
      );
      symlinkSync(storeLink(file), `${root}${STORE}/active/${NAME}.sysext.raw`);
      symlinkSync(`${root}${STORE}/active/${NAME}.sysext.raw`, `${root}/run/extensions/${NAME}.sysext.raw`);
      merged(root, kubernetes);
      place(root, '/verity', `loop0p1-verity: 0 99 verity 1 7:1 7:2 4096 4096 12 1 sha256 ${rootHash} 00\n`);
      return file;
    },
    adopted(file, kubernetes = 'v1.33.4+k3s1') {
      const observation = observe(host, { records: null, files: [file], recordFile: 'other' });
      const request = { files: [file], kubernetes, settings: DEFAULT_SETTINGS };
      const decision = adopt(null, observation, request);
      if (isRefusal(decision)) throw new Error(decision.message);
      const generations = decision.records.generations.map((pair) => ({
        ...pair,
        state: 'good' as const,
        turn: 1,
        why: 'Kubernetes was healthy on it for the set time',
      }));
      const [pair] = generations;
      if (!pair) throw new Error('no pair');
      const records = settled({ ...decision.records, generations, wanted: null }, pair);
      node.write(records);
      return records;
    },
    records() {
      const parsed = parseRecords(readFileSync(`${root}${RECORD_FILE}`, 'utf8'), RECORD_FILE);
      if (!parsed.ok) throw new Error(parsed.message);
      return parsed.records;
    },
    write: (records) => place(root, RECORD_FILE, recordsText(records)),
    durable: () => ['opt', 'var', 'oem'].flatMap((folder) => paths(root, `/${folder}`)),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
  return node;
}

/** The extension is merged: what it carries is there. */
export function merged(root: string, kubernetes: string): void {
  const release = `ID=_any\nSEXTANT_KUBERNETES_VERSION="${kubernetes}"\n`;
  place(root, `/usr/lib/extension-release.d/extension-release.${NAME}`, release);
  place(root, '/usr/lib/sextant/sextant-node', 'the program', 0o755);
}

/** A single server of k3s with its embedded datastore, running. */
export function kubernetesRuns(root: string): void {
  place(root, '/units/k3s.service', 'active\n');
  place(root, '/var/lib/rancher/k3s/server/db/state.db', 'the cluster');
  place(root, '/etc/rancher/k3s/k3s.yaml', 'no client configuration');
}

function paths(root: string, path: string): string[] {
  const full = `${root}${path}`;
  return readdirSync(full, { withFileTypes: true }).flatMap((entry) => {
    const below = `${path}/${entry.name}`;
    if (entry.isDirectory()) return [`${below}/`, ...paths(root, below)];
    if (entry.isSymbolicLink()) return [`${below} -> ${readlinkSync(`${root}${below}`).replace(root, '')}`];
    return [
      `${below} ${statSync(`${root}${below}`).size} ${sha256(readFileSync(`${root}${below}`)).slice(0, 12)}`,
    ];
  });
}

/** Fails when anything under a final name is not whole: images, links, snapshots, the program, the record. */
export function nothingHalfWritten(node: FakeNode): void {
  const store = `${node.root}${STORE}`;
  const wrong: string[] = [];
  for (const digest of existsSync(`${store}/sextant`) ? readdirSync(`${store}/sextant`) : []) {
    const file = `${store}/sextant/${digest}/${NAME}.sysext.raw`;
    if (existsSync(file) && sha256(readFileSync(file)) !== digest) wrong.push(file);
  }
  for (const folder of [`${store}/active`, `${store}/passive`, `${node.root}/run/extensions`]) {
    for (const name of readdirSync(folder).filter((one) => one.endsWith('.raw'))) {
      const target = readlinkSync(`${folder}/${name}`);
      const path = target.startsWith('/') ? target : join(dirname(`${folder}/${name}`), target);
      if (!existsSync(path)) wrong.push(`${folder}/${name}`);
    }
  }
  const snapshots = `${node.root}/opt/sextant/snapshots`;
  for (const name of existsSync(snapshots) ? readdirSync(snapshots) : []) {
    const whole =
      existsSync(`${snapshots}/${name}/snapshot.json`) && existsSync(`${snapshots}/${name}/data/state.db`);
    if (!name.startsWith('.') && !whole) wrong.push(name);
  }
  const copied = `${node.root}/opt/sextant/bin/sextant-node`;
  if (existsSync(copied) && readFileSync(copied, 'utf8') !== 'the program') wrong.push(copied);
  if (existsSync(`${node.root}${RECORD_FILE}`)) node.records();
  if (wrong.length > 0) throw new Error(`not whole: ${wrong.join(', ')}`);
}

/** Thrown in the place of a change when the machine is gone. */
export class PowerCut extends Error {}

/** A host on which everything is cut off after so many changes, clean-up as well; programs are played in this process. */
export function cutAfter(
  node: FakeNode,
  changes: number,
): { through: (host: Host) => Host; wasCut: () => boolean } {
  let left = changes;
  const through = (base: Host): Host => {
    const host = withoutProcesses(node, [])(base);
    const cut = guardedChanges(host, () => {
      left -= 1;
      if (left < 0) throw new PowerCut();
    });
    return { ...host, ...cut };
  };
  return { through, wasCut: () => left < 0 };
}

/** Plays with 0, 1, 2, ... changes allowed until `play` says that nothing was cut; returns how many were. */
export function everyCut(play: (changes: number) => boolean): number {
  let cuts = 0;
  while (play(cuts)) cuts += 1;
  return cuts;
}

/** The programs of a node, played in this process: thousands of runs need no thousands of processes. */
export function withoutProcesses(node: FakeNode, calls: string[]): (host: Host) => Host {
  const inside = (path: string) => `${node.root}${path}`;
  return (host) => ({
    ...host,
    sync: () => {},
    run([path, ...args], options) {
      const name = path.slice(path.lastIndexOf('/') + 1);
      const said = (stdout: string, code = 0) => ({
        ended: 'exit' as const,
        code,
        signal: undefined,
        stdout,
        stderr: '',
      });
      calls.push([name, ...args].join(' '));
      switch (name) {
        case 'sha256sum':
          return said(`${sha256(options?.input ?? readFileSync(inside(args.at(-1) ?? '')))}  -\n`);
        case 'cp':
          cpSync(inside(args.at(-2) ?? ''), inside(args.at(-1) ?? ''), { recursive: true });
          return said('');
        case 'losetup':
          return said('/dev/loop9\n');
        case 'dmsetup':
          return said(existsSync(inside('/verity')) ? readFileSync(inside('/verity'), 'utf8') : '');
        case 'systemctl':
          if (args[0] === 'is-active') calls.pop();
          return args[0] === 'is-active'
            ? said(
                args
                  .slice(1)
                  .map((unit) => (existsSync(inside(`/units/${unit}`)) ? 'active\n' : 'inactive\n'))
                  .join(''),
                3,
              )
            : said('');
        default:
          return said('');
      }
    },
  });
}
