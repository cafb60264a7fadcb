import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SEXTANT_NODE, SEXTANT_SAYS } from './adopted.ts';
import { nextRelease } from './releases.ts';
import { readyAgain, saidOnConsole, servedRelease, upgradeByRestart } from './trial.ts';

export const corruptedFile: Scenario = {
  name: 'corrupted-file',
  sentence:
    'the verified file of an upgrade is damaged on the disk before its first boot: it is named and not run, the good pair is Ready',
  async run(stage) {
    const { node } = await adoptedNode(stage);
    const next = await nextRelease(stage);
    const image = next.release.images[0];
    const stored = `/var/lib/kairos/extensions/sextant/${image?.sha256}/${stage.extensionName}.sysext.raw`;
    // While the machine shuts down: after the upgrade has verified the file, before any boot has looked at it.
    await node.run(`cat >/run/sextant-lab/damage <<'END'
printf TAMPERED | dd of=${stored} bs=1 seek=$(($(stat -c %s ${stored}) / 2)) conv=notrunc,fsync
END
systemd-run --quiet --unit=lab-damage --property=RemainAfterExit=yes --property=ExecStop='/bin/sh /run/sextant-lab/damage' --property=RequiresMountsFor=/var/lib/kairos /bin/true`);
    await upgradeByRestart(stage, node, await servedRelease(stage, next));
    await readyAgain(stage, node);
    for (const line of await saidOnConsole(stage, node)) stage.say(`| ${line}`);
    await stage.verdict(
      node,
      'the good pair is Ready; status names the file that is damaged',
      `${SEXTANT_SAYS}
${readyChecks(stage)}
[ "$(sextant_says '.running | "\\(.id) \\(.state)"')" = '1 good' ]
sextant_says '.problems[]' | grep -F ${image?.sha256}
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
${SEXTANT_NODE} status`,
    );
    const shown = await stage.consoleOf(node);
    stage.check('the console says DAMAGED', shown.includes(`DAMAGED: ${stored}`), shown.slice(-3000));
  },
};
