import { readyChecks } from './common.ts';
import { largestFile, overwriteAndRead } from './overwrite.ts';
import type { Scenario } from './types.ts';

export const tamperedFile: Scenario = {
  name: 'tampered-file',
  sentence:
    'dm-verity is in use; eight bytes overwritten in the stored file, inside the largest program and read uncached, are never served; after a restart the console and the unit say which extension is bad and why',
  async run(stage) {
    const { node } = await stage.readyNode();
    await stage.prove('dm-verity is in use with the root hash of the release', node, readyChecks(stage));
    const program = await largestFile(stage);
    stage.check('the largest file of the extension is its Kubernetes', program === '/usr/bin/k3s', program);
    await stage.prove(
      `eight bytes of ${program} overwritten on the disk: reading it is an error, never another byte`,
      node,
      `systemctl stop k3s\n${await overwriteAndRead(stage, 'amd64', program)}`,
    );
    await node.restart();
    await node.boot();
    const said = `the extension ${stage.extensionName} is damaged`;
    await stage.verdict(
      node,
      'after a restart nothing of it runs, and console and unit say which extension is damaged, and why',
      `tries=0
until journalctl -b -u sextant-damaged --no-pager -o cat | grep -F '${said} on the disk' | grep -F 'bytes that are not what its root hash says'; do
  tries=$((tries + 1)); [ $tries -lt 300 ]
  sleep 1
done
until [ "$(systemctl is-active sextant-damaged)" != activating ]; do sleep 1; done # It has said so, and ends a moment later.
systemctl is-failed sextant-damaged
no systemctl is-active k3s`,
    );
    const shown = await stage.consoleOf(node);
    stage.check('the console says it too', shown.includes(said), shown.slice(-2000));
  },
};
