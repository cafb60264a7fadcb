import type { LabNode } from '../../node.ts';
import { ACTIVATION_FILE, type Stage } from '../../stage.ts';
import type { BuiltRelease } from '../../variant.ts';
import type { Scenario } from '../types.ts';
import { upgradeSystem } from './next-os.ts';
import { afterNextRelease, brokenRelease, nextRelease } from './releases.ts';

/** As long as the trial of `broken-extension` may take. */
const PATIENCE_SECONDS = 90;

/** The yardstick of `broken-extension` and `passive-by-hand`: the same node without sextant-node, upgraded by its activation file. */
export const plainLinks: Scenario = {
  name: 'plain-links',
  sentence:
    'the yardstick without sextant-node: the passive slot runs the newest extension, which never ran there; after an extension that never gets Ready every boot is without Kubernetes',
  async run(stage) {
    const { node } = await stage.readyNode();
    await upgradeSystem(stage, node, 'v4.1.1');
    await node.restart();
    await stage.untilReady(node);
    for (const release of [await nextRelease(stage), await afterNextRelease(stage)]) {
      await move(stage, node, release);
      await stage.untilReady(node);
    }
    await node.run('kairos-agent bootentry --select fallback && sync');
    await node.restart();
    await stage.untilReady(node);
    await stage.prove(
      'the passive slot runs its own OS with the newest extension: a pair that has never run',
      node,
      `[ -e /run/cos/passive_mode ]
. /etc/kairos-release; [ "$KAIROS_VERSION" = v4.1.0 ]
k3s --version | grep -F '+k3s2 '`,
    );
    await node.restart();
    await stage.untilReady(node);
    await move(stage, node, await brokenRelease(stage));
    await stage.prove('the extension that never gets Ready runs', node, WITHOUT_KUBERNETES);
    await node.restart();
    await stage.verdict(
      node,
      'and so it does on the next boot: nothing returns by itself',
      WITHOUT_KUBERNETES,
    );
  },
};

/** As docs/activation.md says: the file replaced, a restart. */
async function move(stage: Stage, node: LabNode, release: BuiltRelease): Promise<void> {
  const server = await stage.serve({ next: release.folder });
  const activation = await stage.activationOf(release, `${server.guestUrl}/next`);
  const text = Buffer.from(activation).toString('base64');
  await node.run(`umask 077; echo ${text} | base64 -d >/oem/${ACTIVATION_FILE}; sync`);
  await node.restart();
}

const WITHOUT_KUBERNETES = `until [ "$(systemctl is-active k3s)" = activating ]; do sleep 1; done
sleep ${PATIENCE_SECONDS}
[ "$(systemctl is-active k3s)" = activating ]
no test -e /usr/lib/k3s-standin/bin/containerd
no api_answers`;
