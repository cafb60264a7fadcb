import { basename } from 'node:path';
import { findEmulator } from '../machine/emulator.ts';
import { ACTIVATION_FILE } from '../stage.ts';
import { arm64Guest } from '../stand-in/arm64.ts';
import { UNTIL_ACTIVATED } from './common.ts';
import { overwriteAndRead } from './overwrite.ts';
import type { Scenario } from './types.ts';

export const arm64Merge: Scenario = {
  name: 'arm64-merge',
  sentence:
    "an arm64 Debian guest that stands in for a Kairos core image (kairos-agent and Kairos' settings of systemd-sysext are real; immucore, the boot loader and the provider's start are not there): the activation brings the arm64 extension, systemd merges it under Kairos' image policy with dm-verity in use, its programs run, overwritten bytes are not served",
  noBiosLoader: true,
  async run(stage) {
    const image = stage.image('arm64');
    const { context } = stage.lab;
    const guest = await arm64Guest(context);
    const accelerator = {
      name: 'tcg',
      why: 'no arm64 guest runs under KVM of another architecture',
    } as const;
    const server = await stage.serve();
    const node = await stage.node(
      { [ACTIVATION_FILE]: await stage.activation(server) },
      {
        base: guest.disk,
        architecture: 'arm64',
        accelerator,
        emulator: await findEmulator('arm64', accelerator, context),
        memory: 1536,
        machine: { kernel: guest.kernel },
      },
    );
    await stage.prove(
      "an arm64 Debian guest with Kairos' image policy and hierarchies for systemd-sysext",
      node,
      `[ "$(uname -m)" = aarch64 ]
. /etc/os-release
[ "$ID" = debian ]
systemctl --version | head -n 1
systemctl cat systemd-sysext | grep -F 'ExecStart=systemd-sysext refresh --image-policy="root=verity+absent:usr=verity+absent"'
systemctl show --property=Environment systemd-sysext | grep -F '/usr/local/src:/usr/bin:/usr/share:/usr/lib:'`,
    );
    await stage.prove(
      'the activation downloaded, pinned and merged it, as on a core node',
      node,
      `${UNTIL_ACTIVATED}
sh /run/sextant/activate status | tee /run/sextant-lab/status
grep -x 'merged: yes' /run/sextant-lab/status
grep -x 'dm-verity: in use' /run/sextant-lab/status
[ -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]`,
    );
    stage.check(
      "the release server's log shows the arm64 extension and nothing else",
      server.requests.length > 0 &&
        server.requests.every(({ path }) => decodeURIComponent(basename(path)) === image.file),
      JSON.stringify(server.requests),
    );
    await stage.prove(
      'its arm64 programs run',
      node,
      // e_machine of the ELF header: 183 is AArch64. edgevpn knows no --version; a network token is a YAML text in base64.
      `for program in /usr/bin/k3s /usr/bin/edgevpn; do
  [ "$(od -An -tu2 -j18 -N2 $program | tr -d ' ')" = 183 ]
done
k3s --version | grep '^k3s version v'
edgevpn -g -b | base64 -d | grep '^otp:'`,
    );
    await stage.verdict(
      node,
      "merged with dm-verity in use for the release's arm64 root hash; eight overwritten bytes of /usr/bin/k3s are never served",
      `. /etc/profile.d/systemd-sysext.sh
systemd-sysext status
systemd-sysext status | grep ${stage.extensionName}
dmsetup table --target verity | grep -F ' ${image.rootHash} '
${await overwriteAndRead(stage, 'arm64', '/usr/bin/k3s')}`,
    );
  },
};
