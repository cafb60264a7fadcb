import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { carryOut } from '../../../src/node/effects/execute.ts';
import { boot } from '../../../src/node/life/boot.ts';
import { shutdown } from '../../../src/node/life/shutdown.ts';
import { watch } from '../../../src/node/life/watch.ts';
import { adopt } from '../../../src/node/model/adopt.ts';
import { type Decision, isRefusal, type Refusal } from '../../../src/node/model/effects.ts';
import type { Observation } from '../../../src/node/model/observation.ts';
import { storeFile } from '../../../src/node/model/paths.ts';
import { rollback } from '../../../src/node/model/rollback.ts';
import type { ExtensionFile, Generation, Records } from '../../../src/node/model/types.ts';
import { upgrade } from '../../../src/node/model/upgrade.ts';
import { observe } from '../../../src/node/observe/observe.ts';
import { readRecords } from '../../../src/node/records-file.ts';
import { copyOf, type FakeNode, fakeNode, newBoot, stored } from '../fake-node.ts';
import { folder, put, type RootedHost, resolveIn } from '../rooted-host.ts';

/** How Kubernetes behaves with what is linked; a test changes it as it goes. */
export interface Behaviour {
  /** Whether Kubernetes of an extension becomes healthy, by the text in its file. */
  healthy: (content: string) => boolean;
  /** Extensions that make the merge fail. */
  breaking: string[];
  /** Names of units that run. */
  units: string[];
  pods: object[];
  /** The kubelet goes on renewing its lease. */
  alive: boolean;
  /** Boot id that the kubelet reports; undefined: the true one. */
  reported: string | undefined;
  /** A server answers when an agent asks past itself. */
  serverThere: boolean;
  systemState: string;
  /** What was asked of the node's object in the cluster, as JSON. */
  told: string[];
  /** Restarts that are asked for and not made, before one is. */
  failingRestarts: number;
}

export interface PlayedNode extends RootedHost {
  readonly behaviour: Behaviour;
  /** `reboot` and the like, in their order. */
  readonly asked: string[];
}

export const KUBECONFIG = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: YQ==
    server: https://127.0.0.1:6443
users:
- user:
    client-certificate-data: YQ==
    client-key-data: YQ==
`;

/** A server node in a temporary folder, Kubernetes played. */
export function playedNode(node: FakeNode = {}): PlayedNode {
  const host = fakeNode(node);
  put(host, '/etc/rancher/k3s/k3s.yaml', KUBECONFIG);
  put(host, '/proc/sys/kernel/hostname', 'Node-1\n');
  put(host, '/opt/sextant/bin/sextant-node', 'installed', 0o755);
  return played(host);
}

function played(host: RootedHost): PlayedNode {
  const behaviour: Behaviour = {
    healthy: (content) => content.includes('works'),
    breaking: [],
    units: ['k3s.service'],
    pods: [],
    alive: true,
    reported: undefined,
    serverThere: true,
    systemState: 'running',
    told: [],
    failingRestarts: 0,
  };
  const node: PlayedNode = Object.assign(host, { behaviour, asked: [] });
  for (const name of ['tee', 'fsfreeze', 'grub-editenv']) host.programs.set(name, () => ({}));
  host.programs.set('cp', (args) => {
    const [from = '', to = ''] = args.slice(-2).map((path) => resolveIn(host.root, path, true));
    cpSync(from, to, { recursive: true });
    return {};
  });
  host.programs.set('systemctl', (args) => systemctl(node, args));
  host.programs.set('curl', (args, { input }) => curl(node, args, input));
  return node;
}

/** Text of the extension that /run/extensions links, or undefined. */
export function linked(host: RootedHost, name = 'provider-kairos'): string | undefined {
  return host.readText(`/run/extensions/${name}.sysext.raw`);
}

function systemctl(node: PlayedNode, [verb = '', ...words]: readonly string[]) {
  const { behaviour } = node;
  switch (verb) {
    case 'is-active':
      return {
        code: 3,
        stdout: words.map((unit) => (behaviour.units.includes(unit) ? 'active' : 'inactive')).join('\n'),
      };
    case 'is-system-running':
      return { code: 1, stdout: `${behaviour.systemState}\n` };
    case 'show':
      return { stdout: words.some((word) => word.includes('ActiveState')) ? 'failed\n' : '' };
    case 'restart':
      if (words.includes('systemd-sysext.service')) merge(node);
      return {};
    case 'reboot':
      return restart(node);
    case 'start':
      return words.includes('reboot.target') ? restart(node) : {};
    default:
      return {};
  }
}

function restart(node: PlayedNode) {
  if (node.behaviour.failingRestarts-- > 0) return { code: 1, stderr: 'Call to Reboot failed' };
  node.asked.push('reboot');
  node.ending = true;
  return {};
}

function curl(node: PlayedNode, args: readonly string[], input?: string) {
  const { behaviour } = node;
  const url = args.at(-1) ?? '';
  if (url.endsWith('/version')) return { stdout: behaviour.serverThere ? '401' : '000' };
  const content = linked(node);
  if (!content || !behaviour.healthy(content)) return { code: 7 };
  const json = (value: object) => ({ stdout: JSON.stringify(value) });
  if (url.endsWith('/readyz')) return { stdout: 'ok' };
  if (url.endsWith('/nodes/node-1') && args.includes('PATCH')) {
    behaviour.told.push(input ?? '');
    return json({});
  }
  if (url.endsWith('/nodes/node-1')) {
    const bootID = behaviour.reported ?? node.readText('/proc/sys/kernel/random/boot_id')?.trim();
    return json({ status: { nodeInfo: { bootID }, conditions: [{ type: 'Ready', status: 'True' }] } });
  }
  if (url.includes('/leases/node-1'))
    return json({ spec: { renewTime: behaviour.alive ? `t${Math.floor(node.clock / 10)}` : 't0' } });
  if (url.includes('/pods?')) return json({ items: behaviour.pods });
  return { code: 22 };
}

/** What systemd-sysext does: all that is linked, or nothing. */
export function merge(node: PlayedNode): void {
  rmSync(join(node.root, '/usr/lib/extension-release.d'), { recursive: true, force: true });
  if (node.behaviour.breaking.length > 0) return;
  for (const name of node.list('/run/extensions') ?? []) {
    if (!name.endsWith('.raw') || !node.stat(`/run/extensions/${name}`)) continue;
    put(
      node,
      `/usr/lib/extension-release.d/extension-release.${name.replace('.sysext.raw', '')}`,
      'ID=_any\n',
    );
  }
}

let boots = 0;
/** Power-on: what was volatile is gone, immucore has linked what the slot's folder holds, the initramfs stage has run, then the merge. */
export function powerOn(node: PlayedNode, decide: (host: PlayedNode) => void = boot): void {
  for (const path of ['/run/extensions', '/run/sextant', '/run/systemd', '/run/sysctl.d']) {
    rmSync(join(node.root, path), { recursive: true, force: true });
  }
  folder(node, '/run/systemd/system');
  folder(node, '/run/extensions');
  newBoot(node, `boot-${++boots}-of-all`);
  const slot = node.stat('/run/cos/passive_mode') ? 'passive' : 'active';
  for (const name of node.list(`/var/lib/kairos/extensions/${slot}`) ?? []) {
    symlinkSync(`/var/lib/kairos/extensions/${slot}/${name}`, join(node.root, `/run/extensions/${name}`));
  }
  node.ending = false;
  node.clock = 8;
  node.behaviour.systemState = 'running';
  put(node, '/proc/1/root/etc/initrd-release');
  decide(node);
  rmSync(join(node.root, '/proc/1/root/etc/initrd-release'));
  node.clock = 20;
  merge(node);
}

/** An orderly shutdown: systemd stops the watch. */
export function shutDown(node: PlayedNode): void {
  node.behaviour.systemState = 'stopping';
  shutdown(node);
}

/** The watch, until it ends by itself or the node goes down; at most `seconds`. */
export function watchFor(node: PlayedNode, seconds = 100_000): void {
  const end = node.clock + seconds;
  node.onSleep = () => {
    if (node.clock >= end) node.ending = true;
  };
  node.ending = false;
  watch(node);
}

export function records(node: RootedHost): Records {
  const { records: found, problem } = readRecords(node);
  if (!found) throw new Error(problem?.message);
  return found;
}

/** The generation whose extension has this text. */
export function pairOf(node: RootedHost, content: string): Generation {
  const found = records(node).generations.find((pair) =>
    pair.files.some((file) => node.readText(storeFile(file)) === content),
  );
  if (!found) throw new Error(`no generation of ${content}`);
  return found;
}

function decided(
  node: RootedHost,
  decide: (known: Records | null, seen: Observation) => Decision | Refusal,
  files: ExtensionFile[],
) {
  const { records: known, recordFile } = readRecords(node);
  const decision = decide(known, observe(node, { records: known, files, recordFile }));
  if (isRefusal(decision)) throw new Error(decision.message);
  carryOut(node, decision);
}

/** The node's first records: what is linked becomes the first generation. */
export function adopted(
  node: PlayedNode,
  content: string,
  kubernetes = 'v1.33.4+k3s1',
  file = stored(node, content),
): void {
  const settings = { tries: 3, patienceSeconds: 900, settleSeconds: 60 };
  decided(node, (known, seen) => adopt(known, seen, { files: [file], kubernetes, settings }), [file]);
}

/** A newer extension, wanted from the next boot on; its file is put into the store where it is not given. */
export function upgraded(
  node: PlayedNode,
  content: string,
  kubernetes = 'v1.33.5+k3s1',
  file = stored(node, content),
  snapshot: string | null = null,
  how: 'later' | 'live' = 'later',
): void {
  const request = { files: [file], kubernetes, snapshot, how, again: false };
  decided(node, (known, seen) => upgrade(known as Records, seen, request), [file]);
}

/** An earlier pair, wanted from the next boot on. */
export function rolledBack(node: PlayedNode, to: number): void {
  decided(node, (known, seen) => rollback(known as Records, seen, { to, restore: null }), []);
}

let template: string | undefined;

/** Adopted, booted, healthy: the pair that everything goes back to. Played once, then copied. */
export function goodNode(): PlayedNode {
  if (template === undefined) {
    const first = playedNode();
    adopted(first, 'first works');
    powerOn(first);
    watchFor(first);
    template = mkdtempSync(join(tmpdir(), 'sextant-good-node-'));
    cpSync(first.root, template, { recursive: true, verbatimSymlinks: true });
  }
  const node = turnedOff(template);
  put(node, '/proc/sys/kernel/random/boot_id', 'off\n');
  return node;
}

/** A copy of a node as it is now, turned off. */
export function turnedOff(root: string): PlayedNode {
  return played(copyOf(root));
}

/** To be called when a file's tests are over. */
export function forgetGoodNode(): void {
  if (template !== undefined) rmSync(template, { recursive: true, force: true });
  template = undefined;
}
