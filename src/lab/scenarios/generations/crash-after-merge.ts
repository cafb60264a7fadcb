import type { Stage } from '../../stage.ts';
import type { BuiltRelease } from '../../variant.ts';
import { readyChecks } from '../common.ts';
import type { Scenario } from '../types.ts';
import { adoptedNode, SECOND, SETTINGS, SEXTANT_NODE, SEXTANT_SAYS } from './adopted.ts';
import { commandRelease } from './releases.ts';
import { readyAgain, saidOnConsole, servedRelease, upgradeByRestart } from './trial.ts';

export const kernelPanic: Scenario = {
  name: 'kernel-panic',
  sentence:
    'an extension that panics the kernel right after its merge: after its tries the good pair is Ready, nobody touched the node',
  run: (stage) =>
    crashes(
      stage,
      () => commandRelease(stage, 'panic', 'echo c >/proc/sysrq-trigger'),
      () => {},
    ),
};

export const kernelHang: Scenario = {
  name: 'kernel-hang',
  sentence:
    'an extension that takes all processors for itself right after its merge, so that nothing else runs: the watchdog ends each try, the good pair is Ready',
  async run(stage) {
    let fired = 0;
    // Processes of the highest real-time priority, without the shares that the kernel keeps for others (since 6.12 by its fair server).
    const hang =
      'for server in /sys/kernel/debug/sched/fair_server/*/runtime; do [ ! -e $server ] || echo 0 >$server; done; echo -1 >/proc/sys/kernel/sched_rt_runtime_us; for processor in $(seq $(nproc)); do chrt -f 99 sh -c "while :; do :; done" & done; wait';
    await crashes(
      stage,
      () => commandRelease(stage, 'hang', hang),
      (event) => {
        if (event === 'WATCHDOG') fired++;
      },
    );
    stage.check('the watchdog fired once for each try', fired === SETTINGS.tries, `${fired} times`);
  },
};

async function crashes(
  stage: Stage,
  release: () => Promise<BuiltRelease>,
  onEvent: (event: string) => void,
): Promise<void> {
  const { node } = await adoptedNode(stage);
  const address = await servedRelease(stage, await release());
  node.machine.qmp.onEvent(onEvent);
  let boot = await upgradeByRestart(stage, node, address);
  for (let again = 1; again <= SETTINGS.tries; again++) ({ bootId: boot } = await node.bootAfter(boot));
  await readyAgain(stage, node);
  for (const line of await saidOnConsole(stage, node)) stage.say(`| ${line}`);
  await stage.verdict(
    node,
    'after its tries the pair is bad, the good one Ready, its data there',
    `${SEXTANT_SAYS}
${readyChecks(stage)}
[ "$(sextant_says '.running | "\\(.id) \\(.state)"')" = '1 good' ]
[ "$(sextant_says '.generations[] | select(.id == ${SECOND}) | "\\(.state) \\(.tries)"')" = 'bad ${SETTINGS.tries}' ]
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
${SEXTANT_NODE} status`,
  );
}
