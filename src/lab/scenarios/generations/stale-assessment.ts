import { readFile } from 'node:fs/promises';
import type { LabNode } from '../../node.ts';
import type { Stage } from '../../stage.ts';
import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SEXTANT_NODE, SEXTANT_SAYS } from './adopted.ts';
import { readyAgain } from './trial.ts';

export const staleAssessment: Scenario = {
  name: 'stale-assessment',
  sentence:
    'GRUB assesses a boot of a healthy node whose power fails before Kairos ends the assessment: the next boot is in the active slot all the same; left behind as if a boot had failed, it sends the node to the passive slot once: Ready there, the assessment is ended, and the boot after it is in the active one',
  async run(stage) {
    const { node: first } = await adoptedNode(stage);
    await assess(first, 'enable_boot_assessment=yes');
    await cutAfterDecision(stage, first);
    const node = await stage.bootAgain(first);
    await readyAgain(stage, node);
    await stage.prove(
      'the decision before the merge has ended the assessment: GRUB stays with the active slot',
      node,
      `[ -e /run/cos/active_mode ]
no grep -w upgrade_failure /proc/cmdline`,
    );
    await assess(node, 'enable_boot_assessment=yes boot_assessment_tentative=yes');
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

/** As kairos-agent and GRUB write it on COS_STATE. */
async function assess(node: LabNode, variables: string): Promise<void> {
  await node.run(`mount -o remount,rw /run/initramfs/cos-state
grub-editenv /run/initramfs/cos-state/boot_assessment create
grub-editenv /run/initramfs/cos-state/boot_assessment set ${variables}
sync
mount -o remount,ro /run/initramfs/cos-state`);
}

/** Restarts the node and ends its machine while it is still in the initramfs: Kairos ends the assessment in a stage of the real root. */
async function cutAfterDecision(stage: Stage, node: LabNode): Promise<void> {
  const decisions = async () =>
    [
      ...(await readFile(node.machine.consoleLog, 'utf8')).matchAll(
        /sextant: generation 1 .* is the newest good one/g,
      ),
    ].length;
  const before = await decisions();
  await node.try('systemctl reboot').catch(() => {});
  for (let tenths = 0; (await decisions()) === before; tenths++) {
    if (tenths === 6000)
      return stage.check('the decision is on the console', false, 'not within ten minutes');
    await stage.pause(0.1);
  }
  await node.stop();
}
