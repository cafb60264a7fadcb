import { readyChecks, runPod } from './common.ts';
import type { Scenario } from './types.ts';

export const nextBoots: Scenario = {
  name: 'next-boots',
  sentence:
    'later boots: linked by immucore in the initramfs, merged before anything needs it, no request to the release server, Ready, data still there, another pod runs',
  async run(stage) {
    const { node, server } = await stage.readyNode();
    await runPod(stage, node);
    const uid = await node.run('k3s kubectl get node -o jsonpath={.items[0].metadata.uid}');
    const before = server.requests.length;
    await node.restart();
    await stage.untilReady(node);
    stage.check(
      "the release server's log shows not one request",
      server.requests.length === before,
      JSON.stringify(server.requests.slice(before)),
    );
    await stage.prove(
      'immucore linked the extension before the real root was entered',
      node,
      `userspace=$(systemctl show --property=UserspaceTimestampMonotonic --value)
boot=$(sed -n 's/^btime //p' /proc/stat)
linked=$(stat -c %Y /run/extensions/${stage.extensionName}.sysext.raw)
echo "linked $((linked - boot)) s, real root $((userspace / 1000000)) s after the kernel's start"
[ $linked -le $((boot + userspace / 1000000 + 1)) ]`,
    );
    await stage.prove(
      'systemd-sysext.service merged it once, before the network stage, kairos-agent and k3s',
      node,
      `at() { systemctl show --property="$2" --value "$1"; }
merged=$(at systemd-sysext ExecMainExitTimestampMonotonic)
for unit in cos-setup-network kairos-agent k3s; do
  echo "$unit $(at $unit InactiveExitTimestampMonotonic), merged $merged"
  [ "$(at $unit InactiveExitTimestampMonotonic)" -gt "$merged" ]
done
[ "$(journalctl -b -u systemd-sysext --no-pager | grep -c 'Starting systemd-sysext')" = 1 ]`,
    );
    await stage.prove(
      'the same node, its pod and its data',
      node,
      `[ "$(k3s kubectl get node -o jsonpath={.items[0].metadata.uid})" = ${uid} ]
[ "$(k3s kubectl get configmap kept -o jsonpath={.data.by})" = the-lab ]
[ "$(api /api/v1/namespaces/default/pods/hello | jq -r .status.phase)" = Succeeded ]`,
    );
    await runPod(stage, node, 'later');
    await stage.verdict(node, 'merged with dm-verity in use, node Ready', readyChecks(stage));
  },
};
