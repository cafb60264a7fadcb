import { ACTIVATION_FILE } from '../../stage.ts';
import type { Scenario } from '../types.ts';
import { SETTINGS_FILE, SEXTANT_NODE, SEXTANT_SAYS, settingsConfig } from './adopted.ts';
import { brokenRelease } from './releases.ts';

const PATIENCE_SECONDS = 60;

export const firstGeneration: Scenario = {
  name: 'first-generation',
  sentence:
    'the first generation ever never gets Ready: nothing is given up, nothing else is booted, the next boot runs it again',
  async run(stage) {
    const broken = await brokenRelease(stage);
    const server = await stage.serve({ broken: broken.folder });
    const node = await stage.node({
      [ACTIVATION_FILE]: await stage.activationOf(broken, `${server.guestUrl}/broken`),
      [SETTINGS_FILE]: settingsConfig({ patienceSeconds: PATIENCE_SECONDS, adopt: true }),
    });
    const { bootId } = await node.boot();
    await stage.prove(
      'the extension has the node taken over by itself, and its patience passes',
      node,
      `until [ -s /opt/sextant/records/generations.json ]; do sleep 1; done
until journalctl -b -u sextant-watch -o cat --no-pager | grep -F 'it goes on, because nothing better can run here'; do sleep 2; done
sleep 20`,
    );
    stage.check('the node has not restarted', (await node.boot()).bootId === bootId, 'it has');
    const runs = `${SEXTANT_SAYS}
[ "$(sextant_says '.running | "\\(.id) \\(.state) \\(.tries)"')" = '1 trying 0' ]
[ "$(systemctl is-active k3s)" = activating ]`;
    await stage.prove('it goes on with the first generation', node, runs);
    await node.restart();
    await stage.verdict(
      node,
      'the next boot runs it again, without counting',
      `until [ -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]; do sleep 1; done
until [ "$(systemctl is-active k3s)" = activating ]; do sleep 1; done
${runs}
${SEXTANT_NODE} status`,
    );
  },
};
