import { standardDisk } from '../core/standard.ts';
import type { Scenario } from './types.ts';

/** What a person gives a standard image for a single node. */
export const STANDARD_CONFIG = '#cloud-config\nk3s:\n  enabled: true\n';

export const standardImage: Scenario = {
  name: 'standard-image',
  sentence:
    'the yardstick: a standard image made by the same kairos-init, with the same provider and Kubernetes baked in, becomes Ready',
  async run(stage) {
    const base = await standardDisk(stage.lab.release, stage.lab.releaseFolder, stage.lab.context);
    const node = await stage.node({ '90_config.yaml': STANDARD_CONFIG }, { base });
    await stage.untilReady(node, { standard: true });
    await stage.verdict(
      node,
      'no extension, the same Kubernetes, node Ready',
      `[ -x /system/providers/agent-provider-kairos ]
[ ! -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]
k3s --version | grep -F 'k3s version ${stage.lab.release.version} '
node_ready "$(hostname | tr A-Z a-z)"`,
    );
  },
};
