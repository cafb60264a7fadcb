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
      'the boot completes without a network, and nothing was fetched',
      node,
      `tries=0
until [ "$(systemctl is-active multi-user.target)" = active ]; do
  tries=$((tries + 1)); [ $tries -lt 300 ]
  sleep 1
done
at() { systemctl show --property="$2" --value "$1"; }
echo "network stage: $(at cos-setup-network InactiveExitTimestampMonotonic) to $(at cos-setup-network ExecMainExitTimestampMonotonic) us"
echo "multi-user.target: $(at multi-user.target ActiveEnterTimestampMonotonic) us"`,
    );
    stage.check(
      'the server was asked for nothing',
      server.requests.length === 0,
      String(server.requests.length),
    );
    const waits = async () => (await stage.consoleOf(node)).includes('next try in');
    for (let waited = 0; waited < 120 && !(await waits()); waited++) await stage.pause(1);
    stage.check('the console says what the node waits for', await waits(), await stage.consoleOf(node));
    await setLink(node.machine, true);
    await stage.untilReady(node);
    const now = await node.boot();
    stage.check('Ready without a restart', now.bootId === bootId, `${bootId} then ${now.bootId}`);
    await stage.verdict(node, 'merged with dm-verity in use, node Ready', readyChecks(stage));
  },
};
