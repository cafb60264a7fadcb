import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/support/subprocess.ts';
import { type ActivationContent, activateScript, type NodePaths } from '../../src/tree/activate-script.ts';

export interface UnitState {
  readonly ActiveState?: string;
  readonly LoadState?: string;
  readonly InactiveExitTimestampMonotonic?: number;
  readonly Job?: number;
}

/** Folders that stand for a node's, with programs in its search path that only write down how they were called. */
export interface FakeNode {
  readonly paths: NodePaths;
  readonly content: ActivationContent;
  /** What is true of a unit from now on. */
  state(unit: string, state: UnitState): Promise<void>;
  /** Makes a recorded program fail. */
  fail(program: string): Promise<void>;
  /** Runs the script under a shell and returns its output. Fails when its exit code is not 0. */
  activate(shell?: string): Promise<{ stdout: string; stderr: string }>;
  /** Recorded calls since the last time. */
  calls(): Promise<string[]>;
  /** What was written to the console. */
  console(): Promise<string>;
}

const RECORDER = (folder: string, name: string) => `#!/bin/sh
printf '%s\\n' "${name} $*" >> '${folder}/calls'
if [ -e '${folder}/fail-${name}' ]; then echo "no ${name} today" >&2; exit 7; fi
`;

/** systemctl that answers \`show\` from files and records the rest. */
const SYSTEMCTL = (folder: string) => `#!/bin/sh
if [ "$1" != show ]; then
${RECORDER(folder, 'systemctl').split('\n').slice(1).join('\n')}
exit 0
fi
for unit; do :; done
for word; do
  case $word in
    --property=*) grep "^\${word#--property=}=" "${folder}/states/$unit" 2> /dev/null || case $word in
      --property=LoadState) echo LoadState=not-found ;;
      --property=ActiveState) echo ActiveState=inactive ;;
      --property=Inactive*) echo InactiveExitTimestampMonotonic=0 ;;
    esac ;;
  esac
done
exit 0
`;

export async function fakeNode(root: string, content: Partial<ActivationContent> = {}): Promise<FakeNode> {
  const bin = join(root, 'bin');
  const paths: NodePaths = {
    providers: join(root, 'usr/local/system/providers'),
    imageProviders: join(root, 'system/providers'),
    units: join(root, 'etc/systemd/system'),
    cloudConfig: join(root, 'usr/share/sextant/cloud-config.d'),
    run: join(root, 'run/sextant'),
    console: join(root, 'console'),
    searchPath: `${bin}:/usr/bin:/bin`,
    systemd: bin,
    nodeProgram: join(root, 'usr/lib/sextant/sextant-node'),
    records: join(root, 'opt/sextant/records'),
    settings: join(root, 'etc/sextant/settings.json'),
  };
  const plugin = join(root, 'usr/local/bin/agent-provider-kairos');
  for (const folder of [
    bin,
    join(root, 'states'),
    paths.units,
    paths.cloudConfig,
    join(root, 'usr/local/bin'),
  ]) {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o755);
  }
  await writeFile(plugin, '#!/bin/sh\n', { mode: 0o755 });
  for (const name of [
    'kairos-agent',
    'systemd-tmpfiles',
    'systemd-sysusers',
    'systemd-sysctl',
    'systemd-modules-load',
    'systemd-run',
  ]) {
    await writeFile(join(bin, name), RECORDER(root, name), { mode: 0o755 });
  }
  await writeFile(join(bin, 'systemctl'), SYSTEMCTL(root), { mode: 0o755 });
  const full: ActivationContent = {
    extensionName: 'provider-kairos',
    plugin,
    units: ['k3s.service', 'k3s-agent.service', 'edgevpn@.service'],
    enabled: [],
    sysusers: [],
    modulesLoad: [],
    sysctl: [],
    tmpfiles: [],
    contentId: '0123456789abcdef',
    ...content,
  };
  const script = join(root, 'activate');
  await writeFile(script, activateScript(full, paths), { mode: 0o755 });
  const read = (path: string) => readFile(path, 'utf8').catch(() => '');
  return {
    paths,
    content: full,
    async state(unit, state) {
      const lines = Object.entries({
        ActiveState: 'inactive',
        LoadState: 'loaded',
        InactiveExitTimestampMonotonic: 0,
        ...state,
      });
      await writeFile(join(root, 'states', unit), lines.map(([key, value]) => `${key}=${value}\n`).join(''));
    },
    async fail(program) {
      await writeFile(join(root, `fail-${program}`), '');
    },
    async activate(shell = 'sh') {
      const { stdout, stderr } = await run(shell, [script], { timeoutSeconds: 60 });
      return { stdout: stdout.toString(), stderr: stderr.toString() };
    },
    async calls() {
      const lines = (await read(join(root, 'calls'))).split('\n').filter((line) => line !== '');
      await writeFile(join(root, 'calls'), '');
      return lines;
    },
    console: () => read(paths.console),
  };
}
