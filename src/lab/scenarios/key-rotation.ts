import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createKey } from '../../release/keys/create.ts';
import type { LabNode } from '../node.ts';
import { ACTIVATION_FILE, type Stage } from '../stage.ts';
import { type BuiltRelease, variantRelease } from '../variant.ts';
import { imageOf, linkInstead, refused } from './common.ts';
import type { Scenario } from './types.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

export const keyRotation: Scenario = {
  name: 'key-rotation',
  sentence:
    'under the strict policy a node takes releases of the old and the new key during the overlap, and refuses the old one once it is revoked',
  async run(stage) {
    const [old, next] = [await key(stage, 'old'), await key(stage, 'next')];
    const signing = (by: typeof old, also: typeof old) =>
      `\nsigning: ${JSON.stringify({ key: by.key, certificate: by.certificate, alsoTrust: [also.certificate] })}\n`;
    const before = await variantRelease(stage.lab, 'by-the-old-key', (recipe) => recipe + signing(old, next));
    const after = await variantRelease(
      stage.lab,
      'by-the-new-key',
      (recipe) => recipe.replaceAll('+k3s0', '+k3s1') + signing(next, old),
    );
    const { guestUrl } = await stage.serve({ before: before.folder, after: after.folder });

    const overlap = await stage.activationOf(before, `${guestUrl}/before`, { strict: {} });
    const node = await stage.node({ [ACTIVATION_FILE]: overlap });
    await stage.untilReady(node);
    await stage.prove(
      'the overlap has begun: signed by the old key, and two certificates are on the node, each in a file of its own',
      node,
      `${merged(stage, before)}
[ "$(ls /etc/verity.d/${stage.extensionName}*.crt | wc -l)" = 2 ]
[ "$(grep -c 'BEGIN CERTIFICATE' /etc/verity.d/${stage.extensionName}*.crt | grep -c ':1$')" = 2 ]`,
    );

    await move(stage, node, await stage.activationOf(after, `${guestUrl}/after`, { strict: {} }));
    await stage.prove('the next release, signed by the new key, is merged', node, merged(stage, after));
    await stage.prove(
      'the one signed by the old key would be taken too',
      node,
      `systemctl stop k3s
${linkInstead(stage, 'other', `${guestUrl}/before`, imageOf(before))}
systemctl restart systemd-sysext
${merged(stage, before)}`,
    );

    const alone = await stage.activationOf(after, `${guestUrl}/after`, {
      strict: { certificatePem: next.pem },
    });
    await move(stage, node, alone);
    await stage.prove(
      'the old key is revoked: its certificate is gone, the new release is merged',
      node,
      `${merged(stage, after)}
[ "$(ls /etc/verity.d/${stage.extensionName}*.crt | wc -l)" = 1 ]`,
    );
    await stage.prove(
      'a release signed by the revoked key is refused',
      node,
      refused(
        stage,
        `systemctl stop k3s
readlink -f /run/extensions/${stage.extensionName}.sysext.raw >/run/sextant-lab/current
${linkInstead(stage, 'other', `${guestUrl}/before`, imageOf(before))}`,
      ),
    );
    await stage.verdict(
      node,
      'and the one signed by the new key is merged again, dm-verity in use',
      `ln -sfn "$(cat /run/sextant-lab/current)" /run/extensions/${stage.extensionName}.sysext.raw
systemctl restart systemd-sysext
${merged(stage, after)}`,
    );
  },
};

async function key(stage: Stage, name: string) {
  const request = { commonName: name, bits: 2048, days: 30, encrypt: false } as const;
  const made = await createKey({ ...request, name: join(stage.folder, name) });
  return { ...made, pem: await readFile(made.certificate, 'utf8') };
}

/** As the documentation says: replace the file and reboot. */
async function move(stage: Stage, node: LabNode, activation: string): Promise<void> {
  await node.run(`umask 077; echo ${base64(activation)} | base64 -d >/oem/${ACTIVATION_FILE}; sync`);
  await node.restart();
  await stage.untilReady(node);
}

function merged({ extensionName }: Stage, { rootHash }: BuiltRelease): string {
  return `systemctl cat systemd-sysext | grep -F 'root=signed+absent'
[ -e /usr/lib/extension-release.d/extension-release.${extensionName} ]
dmsetup table --target verity | grep -F ' ${rootHash} '`;
}
