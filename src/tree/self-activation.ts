import { stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { type ActivationContent, activateScript } from './activate-script.ts';
import { generated } from './content.ts';
import type { Planned } from './plan.ts';
import { CLOUD_CONFIG_FOLDER, UNIT_FOLDER } from './rules.ts';
import type { TreeRequest } from './types.ts';
import { byBytes } from './walk.ts';

export const ACTIVATE_PATH = '/usr/lib/sextant/activate';

/** Where sextant-node travels. It is copied to /opt/sextant and never runs from here: what repairs a node is outside the extension. */
const NODE_PROGRAM_PATH = '/usr/lib/sextant/sextant-node';

/** Component that the program counts as, apart from what sextant writes. */
export const NODE_PROGRAM_COMPONENT = 'sextant-node';

/** Names of the planned files directly in a folder that end in .conf, sorted. */
function configurationNames(planned: readonly Planned[], folder: string): string[] {
  return planned
    .filter((entry) => posix.dirname(entry.path) === folder && entry.path.endsWith('.conf'))
    .map((entry) => posix.basename(entry.path))
    .sort(byBytes);
}

/**
 * The files by which the extension activates itself (design decision 6): the script, and what runs it.
 *
 * kairos-agent.service has been queued when the merge happens, so only a drop-in for it is in time for the plug-in (measured). It
 * fires as well where newer systemd merges in the initramfs. A merge into a running system does not start kairos-agent again; there,
 * and where kairos-agent is not enabled, multi-user.target upholds sextant-activate.service, which stays active after it has run.
 */
export function selfActivation(
  content: Omit<ActivationContent, 'sysusers' | 'modulesLoad' | 'sysctl' | 'tmpfiles'>,
  planned: readonly Planned[],
): Planned[] {
  const { extensionName } = content;
  const script = activateScript({
    ...content,
    sysusers: configurationNames(planned, '/usr/lib/sysusers.d'),
    modulesLoad: configurationNames(planned, '/usr/lib/modules-load.d'),
    sysctl: configurationNames(planned, '/usr/lib/sysctl.d'),
    tmpfiles: configurationNames(planned, '/usr/lib/tmpfiles.d'),
  });
  return [
    generated(ACTIVATE_PATH, script, 0o755),
    generated(
      `${UNIT_FOLDER}/kairos-agent.service.d/10-sextant.conf`,
      `# The extension ${extensionName} activates itself before kairos-agent looks for plug-ins. Written by sextant.
[Service]
ExecStartPre=-${ACTIVATE_PATH}
# Covers the cloud-config of the extension; the agent itself counts as started at once.
TimeoutStartSec=5min
`,
    ),
    generated(
      `${UNIT_FOLDER}/sextant-activate.service`,
      `[Unit]
Description=Activate the system extension ${extensionName}
After=kairos-agent.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-${ACTIVATE_PATH}
`,
    ),
    generated(
      `${UNIT_FOLDER}/multi-user.target.d/10-sextant.conf`,
      `# Acts on a merge into a running system too, which Wants= would not. Written by sextant.
[Unit]
Upholds=sextant-activate.service
`,
    ),
    {
      path: CLOUD_CONFIG_FOLDER,
      kind: 'folder',
      mode: 0o755,
      size: 0,
      content: undefined,
      disposition: 'added',
      component: 'sextant',
    },
  ];
}

/** sextant-node and its notices as files of the extension. */
export async function nodeProgram({ file, licenses }: TreeRequest['nodeProgram']): Promise<Planned[]> {
  return Promise.all([
    programFile(NODE_PROGRAM_PATH, file, 0o755),
    programFile('/usr/share/sextant/sextant-node.licenses', licenses, 0o644),
  ]);
}

async function programFile(path: string, source: string, wanted: number): Promise<Planned> {
  const { size, mode } = await stat(source);
  return {
    path,
    kind: 'file',
    mode: wanted,
    size,
    content: { source, mode: mode & 0o7777, hardLinks: `${NODE_PROGRAM_COMPONENT}:${source}` },
    disposition: 'added',
    component: NODE_PROGRAM_COMPONENT,
  };
}
