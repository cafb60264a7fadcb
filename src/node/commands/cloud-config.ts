import { NODE_PROGRAM } from '../model/paths.ts';

/** In the order of names after the activation file that Kairos' installer writes, 90_custom.yaml; either order is right. */
export const CLOUD_CONFIG_FILE = '/oem/95_sextant-node.yaml';

/**
 * Runs the decision in the initramfs stage of every boot: after immucore linked /run/extensions, before systemd-sysext merges. It holds
 * nothing of this node, so every sextant-node writes the same. Stages are those of yip (pkg/schema/schema.go).
 */
export const CLOUD_CONFIG = `#cloud-config
# Written by \`sextant-node adopt\`, taken away by \`sextant-node retire\`. Decides before the merge what this boot runs.
name: sextant-node
stages:
  initramfs:
    - name: Decide what this boot runs
      if: '[ -x ${NODE_PROGRAM} ]'
      only_service_manager: systemd
      commands:
        - ${NODE_PROGRAM} boot
`;
