import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { checkActivation } from '../../src/activation/input-check.ts';
import { type NodePaths, nodePaths } from '../../src/activation/paths.ts';
import { activationScript } from '../../src/activation/script.ts';
import { storedUuid } from '../../src/activation/script-values.ts';
import type { ActivationInput } from '../../src/activation/types.ts';
import { sha256 } from '../../src/support/files.ts';
import { type RunResult, run } from '../../src/support/subprocess.ts';
import { example } from './example.ts';

export const NAME = 'provider-kairos';
export const ROOT_HASH = 'c'.repeat(64);

/** An image as far as the script looks at it: bytes, with a signature partition's type UUID where a GPT has its entries. */
export function fakeImage(seed: number, signed: boolean, size = 1_500_001): Buffer {
  const image = Buffer.alloc(size);
  for (let at = 0; at < size; at += 4) image.writeUInt8((at * 2654435761 + seed * 97) & 0xff, at);
  image.fill(0, 1024, 1024 + 16384);
  if (signed) {
    Buffer.from(storedUuid('41092b05-9fc8-4523-994f-2def0408b176'), 'hex').copy(image, 1024 + 256);
  }
  return image;
}

// What stands in for the machine. systemctl records its calls, and merges by the rules that were measured with systemd 257: one
// refused image fails the whole merge; dm-verity is used only with a root hash, or with a signature under the strict policy.
const STUBS: Readonly<Record<string, string>> = {
  uname: 'echo x86_64',
  sync: ':',
  dmsetup: 'cat "$STUB/verity" 2>/dev/null || true',
  systemctl: `
echo "$*" >>"$STUB/calls"
case "$*" in
"is-active "*) [ -e "$STUB/kubernetes-runs" ] ;;
"show "*) echo "InactiveExitTimestampMonotonic=$(cat "$STUB/agent-since" 2>/dev/null || echo 0)" ;;
"restart systemd-sysext.service")
  rm -f "$RELEASE_FILE" "$STUB/verity"
  [ ! -e "$STUB/merge-fails" ] || exit 1
  strict=no
  [ -e "$UNITS/systemd-sysext.service.d/zz-sextant-strict.conf" ] && strict=yes
  for image in "$ENABLED"/*.raw; do
    [ -e "$image" ] || continue
    signature=no
    dd if="$image" bs=512 skip=2 count=32 2>/dev/null | od -An -v -tx1 | tr -d ' \\n' |
      grep -q 052b0941c89f2345994f2def0408b176 && signature=yes
    [ $strict = yes ] && [ $signature = no ] && exit 1
    [ $strict = yes ] && [ -e "$STUB/foreign-key" ] && [ "\${image##*/}" = "$(cat "$STUB/foreign-key")" ] && exit 1
    [ "\${image##*/}" = $NAME.sysext.raw ] || continue
    sidecar=\${image%.raw}.roothash
    root_hash=
    [ -e "$sidecar" ] && root_hash=$(cat "$sidecar")
    [ $strict = yes ] && root_hash=$ROOT_HASH
    [ -z "$root_hash" ] || [ "$root_hash" = "$ROOT_HASH" ] || exit 1
    [ -e "$STUB/no-verity" ] && root_hash=
    [ -z "$root_hash" ] || echo "loop0p1-verity: 0 99 verity 1 7:1 7:2 4096 4096 12 1 sha256 $root_hash 00" >"$STUB/verity"
    merged=yes
  done
  if [ "\${merged:-no}" = yes ]; then mkdir -p "\${RELEASE_FILE%/*}"; : >"$RELEASE_FILE"; fi
  ;;
esac`,
};

export interface FakeNode {
  readonly root: string;
  readonly paths: NodePaths;
  /** The link that enables the extension in the active slot. */
  readonly link: string;
  /** Where the file of `image` belongs. */
  file(image: Buffer): string;
  /** Writes the script for an input, to run with `command`. */
  activate(input: ActivationInput): Promise<void>;
  /** Takes the script out of an activation file, as it is but for the places. */
  activateBy(cloudConfig: string): Promise<void>;
  command(verb: string, signal?: AbortSignal): Promise<RunResult & { readonly said: string }>;
  /** Turns a behaviour of the stand-ins on: merge-fails, no-verity, kubernetes-runs, agent-since, foreign-key. */
  set(stub: string, value?: string): Promise<void>;
  unset(stub: string): Promise<void>;
  calls(): Promise<string[]>;
  /** As a reboot: /run is empty, immucore links what is enabled, `prepare` runs, systemd-sysext merges. */
  reboot(slot?: 'active' | 'passive'): Promise<string>;
  merged(): boolean;
  verified(): Promise<boolean>;
  remove(): Promise<void>;
}

/** `shell` and `tools` (a PATH) say what the script runs with, `extension` what the stand-in for systemd-sysext merges. */
export async function fakeNode(
  shell: readonly string[] = ['sh'],
  tools = '/usr/bin:/bin',
  extension: { readonly name: string; readonly rootHash: string } = { name: NAME, rootHash: ROOT_HASH },
): Promise<FakeNode> {
  const { name: extensionName, rootHash } = extension;
  const root = await mkdtemp(join(tmpdir(), 'sextant-node-'));
  const paths = nodePaths(extensionName, root);
  const stub = join(root, 'stub');
  const script = join(root, 'activate.sh');
  await mkdir(stub);
  for (const [name, text] of Object.entries(STUBS)) {
    await writeFile(join(stub, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(stub, name), 0o755);
  }
  const environment = {
    PATH: `${stub}:${tools}`,
    STUB: stub,
    ENABLED: paths.enabled,
    UNITS: paths.units,
    RELEASE_FILE: paths.releaseFile,
    NAME: extensionName,
    ROOT_HASH: rootHash,
  };
  const command: FakeNode['command'] = async (verb, signal) => {
    const [program = 'sh', ...args] = shell;
    const result = await run(program, [...args, script, verb], {
      env: environment,
      okCodes: [0, 1, 2, 3],
      timeoutSeconds: 60,
      ...(signal ? { signal } : {}),
    });
    return { ...result, said: `${result.stdout}${result.stderr}` };
  };
  const node: FakeNode = {
    root,
    paths,
    link: join(paths.store, 'active', `${extensionName}.sysext.raw`),
    file: (image) => join(paths.store, 'sextant', sha256(image), `${extensionName}.sysext.raw`),
    activate: (input) =>
      writeFile(
        script,
        activationScript(checkActivation(input), paths, { firstDelay: 0, longestDelay: 0, patience: 1 }),
      ),
    activateBy: (cloudConfig) => writeFile(script, rootedScript(cloudConfig, extensionName, root)),
    command,
    set: (name, value = '') => writeFile(join(stub, name), value),
    unset: (name) => rm(join(stub, name), { force: true }),
    calls: async () => {
      const file = join(stub, 'calls');
      return existsSync(file) ? (await readFile(file, 'utf8')).trim().split('\n') : [];
    },
    reboot: async (slot = 'active') => {
      await rm(join(root, 'run'), { recursive: true, force: true });
      for (const name of ['kubernetes-runs', 'agent-since', 'verity', 'calls']) await node.unset(name);
      await rm(paths.releaseFile, { force: true });
      await mkdir(paths.enabled, { recursive: true });
      await mkdir(paths.sentinels, { recursive: true });
      await writeFile(join(paths.sentinels, `${slot}_mode`), '1');
      for (const folder of [slot, 'common']) {
        const entries = await readdir(join(paths.store, folder)).catch(() => []);
        for (const entry of entries.filter((name) => name.endsWith('.raw'))) {
          await symlink(join(paths.store, folder, entry), join(paths.enabled, entry));
        }
      }
      const { said } = await command('prepare');
      await run(join(stub, 'systemctl'), ['restart', 'systemd-sysext.service'], {
        env: environment,
        okCodes: [0, 1],
      });
      return said;
    },
    merged: () => existsSync(paths.releaseFile),
    verified: async () => existsSync(join(stub, 'verity')),
    remove: () => rm(root, { recursive: true, force: true }),
  };
  return node;
}

/** The script that a cloud-config writes, its places (all in its head) below `root`. */
function rootedScript(cloudConfig: string, extensionName: string, root: string): string {
  const { stages } = parse(cloudConfig, { version: '1.1' });
  const places = nodePaths(extensionName);
  const files = stages.initramfs[0].files as readonly { readonly path: string; readonly content: string }[];
  const text = files.find(({ path }) => path === `${places.runtime}/activate`)?.content ?? '';
  const end = text.indexOf('\ncase $(uname -m)');
  return (
    Object.values(places)
      .flat()
      .reduce(
        (head, place: string) =>
          head.replaceAll(new RegExp(`(?<=['\n])${place}(?=['\n])`, 'g'), `${root}${place}`),
        text.slice(0, end),
      ) + text.slice(end)
  );
}

/** The input for one image at an address, on the architecture that the stand-in for uname names. */
export function inputFor(image: Buffer, url: string, more: Partial<ActivationInput> = {}): ActivationInput {
  return {
    ...example,
    images: {
      amd64: { url, fileName: 'x.raw', sha256: sha256(image), size: image.length, rootHash: ROOT_HASH },
    },
    ...more,
  };
}

/** Fails when anything enabled, or under a final name in our folder, is not the whole file its folder names. */
export async function nothingHalfWritten(node: FakeNode): Promise<void> {
  const folders = await readdir(join(node.paths.store, 'sextant')).catch(() => []);
  for (const folder of folders) {
    const file = join(node.paths.store, 'sextant', folder, `${NAME}.sysext.raw`);
    if (existsSync(file) && sha256(await readFile(file)) !== folder) throw new Error(`${file} is not whole`);
  }
  for (const link of [node.link, join(node.paths.enabled, `${NAME}.sysext.raw`)]) {
    const target = await readlink(link).catch(() => undefined);
    if (target !== undefined && !existsSync(join(dirname(link), target)) && !existsSync(target)) {
      throw new Error(`${link} leads nowhere`);
    }
  }
}
