import { chmod, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hostArchitecture } from '../../src/support/architecture.ts';
import type { TreeRequest } from '../../src/tree/index.ts';
import { elf } from './elf-builder.ts';

export type Shape = Readonly<
  Record<string, { file: string | Uint8Array; mode?: number } | { link: string } | { folder: true }>
>;

/** An empty folder below the system's temporary one; tests remove it when they end. */
export function scratch(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'sextant-tree-'));
}

/** Writes files, links and empty folders below `root`. */
export async function lay(root: string, shape: Shape): Promise<string> {
  await mkdir(root, { recursive: true });
  for (const [path, what] of Object.entries(shape)) {
    const at = join(root, path);
    if ('folder' in what) {
      await mkdir(at, { recursive: true });
      continue;
    }
    await mkdir(dirname(at), { recursive: true });
    if ('link' in what) await symlink(what.link, at);
    else {
      await writeFile(at, what.file);
      await chmod(at, what.mode ?? 0o644);
    }
  }
  return root;
}

const K3S_SERVICE = (role: string, env: string) => `[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=${role === 'server' ? 'notify' : 'exec'}
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-${env}
KillMode=process
Delegate=yes
User=root
# Limits are not set, because accounting costs more than it gives.
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/bin/k3s \\
    ${role} \\

`;

const architecture = hostArchitecture() ?? 'amd64';

/** The upper layer as the provider's hook leaves it for k3s: server and agent, binaries in /usr/bin, nothing enabled. */
export const K3S_UPPER: Shape = {
  '/usr/bin/k3s': { file: elf({ architecture }), mode: 0o755 },
  '/usr/bin/kubectl': { link: 'k3s' },
  '/usr/bin/crictl': { link: 'k3s' },
  '/usr/bin/ctr': { link: 'k3s' },
  '/usr/bin/k3s-killall.sh': { file: '#!/bin/sh\n[ $(id -u) -eq 0 ] || exec sudo $0 $@\n', mode: 0o755 },
  '/usr/bin/k3s-uninstall.sh': { file: '#!/bin/sh\nset -x\n', mode: 0o755 },
  '/usr/bin/k3s-agent-uninstall.sh': { file: '#!/bin/sh\nset -x\n', mode: 0o755 },
  '/etc/systemd/system/k3s.service': {
    file: K3S_SERVICE('server', '/etc/systemd/system/k3s.service.env'),
  },
  '/etc/systemd/system/k3s.service.env': { file: '', mode: 0o600 },
  '/etc/systemd/system/k3s-agent.service': {
    file: K3S_SERVICE('agent', '/etc/systemd/system/k3s-agent.service.env'),
  },
  '/etc/systemd/system/k3s-agent.service.env': { file: '', mode: 0o600 },
  '/tmp/installer.sh': { file: '#!/bin/sh\n', mode: 0o755 },
  '/tmp/k3s-install.Xa82kd': { folder: true },
  '/var/log/journal': { folder: true },
  '/var/lib': { folder: true },
};

const K0S_SERVICE = (role: string) => `[Unit]
Description=k0s - Zero Friction Kubernetes
Documentation=https://docs.k0sproject.io
ConditionFileIsExecutable=/usr/bin/k0s

After=network-online.target
Wants=network-online.target

[Service]
StartLimitInterval=5
StartLimitBurst=10
ExecStart=/usr/bin/k0s ${role}

RestartSec=10
Delegate=yes
KillMode=process
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
LimitNOFILE=999999
Restart=always

[Install]
WantedBy=multi-user.target`;

/** The same for k0s: the binary was moved out of /usr/local/bin, the units are private to root. */
export const K0S_UPPER: Shape = {
  '/usr/bin/k0s': { file: elf({ architecture }), mode: 0o755 },
  '/usr/local/bin': { folder: true },
  '/etc/systemd/system/k0scontroller.service': { file: K0S_SERVICE('controller'), mode: 0o600 },
  '/etc/systemd/system/k0sworker.service': { file: K0S_SERVICE('worker'), mode: 0o600 },
  '/tmp/installer.sh': { file: '#!/bin/sh\n', mode: 0o755 },
};

/** The provider component of a recipe: the plug-in and edgevpn. */
export const PROVIDER: Shape = {
  '/agent-provider-kairos': { file: elf({ architecture, content: 'provider' }), mode: 0o755 },
  '/edgevpn': { file: elf({ architecture, content: 'edgevpn' }), mode: 0o755 },
  '/LICENSE': { file: 'Apache License\n' },
};

/** A request for a tree of `upper` (and more) with the provider component, all below `folder`. */
export async function requestFor(
  folder: string,
  upper: Shape,
  changes: Partial<TreeRequest> = {},
): Promise<TreeRequest> {
  const programs = await lay(join(folder, 'programs'), {
    '/sextant-node': { file: elf({ architecture, content: 'node' }), mode: 0o755 },
    '/LICENSES': { file: 'MIT\n' },
  });
  return {
    upper: await lay(join(folder, 'upper'), upper),
    removed: [],
    components: [
      {
        component: 'provider-kairos',
        version: '2.16.4',
        folder: await lay(join(folder, 'provider'), PROVIDER),
        files: [
          { from: 'agent-provider-kairos', to: '/usr/local/bin/agent-provider-kairos' },
          { from: 'edgevpn', to: '/usr/bin/edgevpn' },
        ],
      },
    ],
    extensionName: 'provider-kairos',
    architecture,
    plugin: 'agent-provider-kairos',
    version: 'v1.36.3+k3s1',
    nodeProgram: { file: join(programs, 'sextant-node'), licenses: join(programs, 'LICENSES') },
    getcap: ['true'], // What is laid down here has no capabilities.
    output: join(folder, 'tree'),
    ...changes,
  };
}
