import { join } from 'node:path';
import { coreImage } from '../core/index.ts';
import { INSTALL_CONFIG, installDisk } from '../core/install.ts';
import { readyChecks, runPod } from './common.ts';
import { SEXTANT_NODE, untilGood } from './generations/adopted.ts';
import type { Scenario } from './types.ts';

export const freshInstall: Scenario = {
  name: 'fresh-install',
  sentence:
    'a fresh install whose user-data holds the activation comes up as a Ready node on its first boot, taken over by sextant-node as `--adopt` asks',
  async run(stage) {
    const server = await stage.serve();
    const activation = await stage.activation(server, { adopt: true });
    const disk = join(stage.folder, 'installed.raw');
    const userData = `${INSTALL_CONFIG}${activation.replace(/^#cloud-config\n/, '')}`;
    await installDisk(
      { folder: await coreImage(stage.lab.context) },
      disk,
      join(stage.folder, 'install'),
      stage.lab.context,
      userData,
    );
    stage.check(
      'installing asked the server for nothing',
      server.requests.length === 0,
      JSON.stringify(server.requests),
    );
    // Only the lab's own channel is added to what the installer put into /oem.
    const node = await stage.node({}, { base: disk });
    await stage.untilReady(node);
    await stage.prove(
      'the configuration in /oem is the one of the installation',
      node,
      `grep -rlF sextant-activate /oem`,
    );
    await runPod(stage, node);
    await stage.verdict(
      node,
      'merged with dm-verity in use, node Ready, and its pair is the first generation and good',
      `${untilGood(1)}
${readyChecks(stage)}
${SEXTANT_NODE} status`,
    );
  },
};
