import { setLink } from '../machine/machine.ts';
import { ACTIVATION_FILE } from '../stage.ts';
import { readyChecks } from './common.ts';
import type { Scenario } from './types.ts';

export const lateNetwork: Scenario = {
  name: 'late-network',
  sentence:
    'no network on the first boot: the boot goes on, the console says what it waits for; the network comes: Ready without a restart',
  async run(stage) {
    const server = await stage.serve();
    const node = await stage.node(
      { [ACTIVATION_FILE]: await stage.activation(server) },
      { machine: { unplugged: true } },
    );
    const { bootId } = await node.boot();
    await stage.prove(
      'the boot completes without a network: its network stage waits half a minute for it, not longer',
      node,
      `tries=0
until [ "$(systemctl is-active multi-user.target)" = active ]; do
  tries=$((tries + 1)); [ $tries -lt 300 ]
  sleep 1
done
at() { systemctl show --property="$2" --value "$1"; }
began=$(at cos-setup-network InactiveExitTimestampMonotonic)
ended=$(at cos-setup-network ExecMainExitTimestampMonotonic)
echo "network stage: $began to $ended us, multi-user.target: $(at multi-user.target ActiveEnterTimestampMonotonic) us"
# The half minute that docs/activation.md promises, and what else the stage does.
[ $(((ended - began) / 1000000)) -lt 90 ]
journalctl -k -b -o cat --no-pager | grep -F 'boot goes on without ${stage.extensionName}'`,
    );
    stage.check(
      'the server was asked for nothing',
      server.requests.length === 0,
      String(server.requests.length),
    );
    // The address that cannot be reached, why, and what happens next.
    const line = /http:\/\/10\.0\.2\.2:\d+\/release\/\S+: .*next try in \d+ s/;
    const waits = async () => line.test(await stage.consoleOf(node));
    for (let waited = 0; waited < 120 && !(await waits()); waited++) await stage.pause(1);
    stage.check('the console says what the node waits for', await waits(), await stage.consoleOf(node));
    await setLink(node.machine, true);
    await stage.untilReady(node);
    const now = await node.boot();
    stage.check('Ready without a restart', now.bootId === bootId, `${bootId} then ${now.bootId}`);
    await stage.verdict(node, 'merged with dm-verity in use, node Ready', readyChecks(stage));
  },
};
