import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SEXTANT_NODE, SEXTANT_SAYS } from './adopted.ts';
import { readyAgain } from './trial.ts';

export const staleAssessment: Scenario = {
  name: 'stale-assessment',
  sentence:
    "GRUB's boot assessment is left behind as if a boot had failed: the node is Ready in the passive slot, ends the assessment, and is back in the active one at the next boot",
  async run(stage) {
    const { node } = await adoptedNode(stage);
    await node.run(`mount -o remount,rw /run/initramfs/cos-state
grub-editenv /run/initramfs/cos-state/boot_assessment create
grub-editenv /run/initramfs/cos-state/boot_assessment set enable_boot_assessment=yes boot_assessment_tentative=yes
mount -o remount,ro /run/initramfs/cos-state`);
    await node.restart();
    await readyAgain(stage, node);
    await stage.prove(
      'GRUB has chosen the passive slot; the same pair is Ready there, and the assessment is over',
      node,
      `grep -w upgrade_failure /proc/cmdline
[ -e /run/cos/passive_mode ]
no grep -a boot_assessment_tentative=yes /run/initramfs/cos-state/boot_assessment`,
    );
    await node.restart();
    await readyAgain(stage, node);
    await stage.verdict(
      node,
      'the next boot is that of the active slot, with the same pair',
      `${SEXTANT_SAYS}
${readyChecks(stage)}
[ -e /run/cos/active_mode ]
[ "$(sextant_says '.running | "\\(.id) \\(.state)"')" = '1 good' ]
${SEXTANT_NODE} status`,
    );
  },
};
