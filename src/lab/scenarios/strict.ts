import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tool } from '../machine/programs.ts';
import { ACTIVATION_FILE } from '../stage.ts';
import { variantRelease } from '../variant.ts';
import { imageOf, linkInstead, refused } from './common.ts';
import type { Scenario } from './types.ts';

export const strictTrust: Scenario = {
  name: 'strict-trust',
  sentence:
    'a signed release under the strict policy merges with its certificate; without it, with another one, by the signature of another key and unsigned it is refused; a foreign unsigned extension is named',
  async run(stage) {
    const { signal } = stage.lab.context;
    const key = async (name: string) => {
      const [keyFile, certificate] = [join(stage.folder, `${name}.key`), join(stage.folder, `${name}.pem`)];
      await tool(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'rsa:2048',
          '-nodes',
          '-subj',
          `/CN=${name}`,
          '-days',
          '30',
          '-keyout',
          keyFile,
          '-out',
          certificate,
        ],
        signal,
      );
      return { keyFile, certificate, pem: await readFile(certificate, 'utf8') };
    };
    const [own, other] = [await key('release'), await key('other')];
    const signedBy = (name: string, { keyFile, certificate }: typeof own) =>
      variantRelease(
        stage.lab,
        name,
        (recipe) => `${recipe}\nsigning: { key: ${keyFile}, certificate: ${certificate} }\n`,
      );
    const signed = await signedBy('signed', own);
    const foreign = await signedBy('signed-by-another', other);
    const server = await stage.serve({ signed: signed.folder, foreign: foreign.folder });
    const url = `${server.guestUrl}/signed`;
    const node = await stage.node({
      [ACTIVATION_FILE]: await stage.activationOf(signed, url, { strict: {} }),
    });
    await stage.untilReady(node);
    await stage.prove(
      'merged under the strict policy, dm-verity in use, no root hash beside it',
      node,
      `systemctl cat systemd-sysext | grep -F 'root=signed+absent'
dmsetup table --target verity | grep -F ' ${signed.rootHash} '
[ ! -e /run/extensions/${stage.extensionName}.sysext.roothash ]`,
    );
    const refuses = (what: string, change: string) => stage.prove(what, node, refused(stage, change));
    const certificate = `/etc/verity.d/${stage.extensionName}.crt`;
    await node.run('systemctl stop k3s');
    await refuses('refused without the certificate', `mv ${certificate} /run/kept.crt`);
    await refuses(
      "refused with another's certificate",
      `echo ${Buffer.from(other.pem).toString('base64')} | base64 -d >${certificate}`,
    );
    const link = `/run/extensions/${stage.extensionName}.sysext.raw`;
    await refuses(
      "the same extension with another's signature is refused, with the certificate there",
      `cp /run/kept.crt ${certificate}
readlink -f ${link} >/run/sextant-lab/signed
${linkInstead(stage, 'foreign', `${server.guestUrl}/foreign`, imageOf(foreign))}`,
    );
    await refuses(
      'the same extension without a signature is refused, with the certificate there',
      `rm /run/sextant-lab/foreign.raw
${linkInstead(stage, 'unsigned', `${server.guestUrl}/release`, stage.amd64)}`,
    );
    await stage.prove(
      'merged again once the signed one is back',
      node,
      `ln -sfn "$(cat /run/sextant-lab/signed)" ${link}
systemctl restart systemd-sysext
[ -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]`,
    );
    await stage.prove(
      'a foreign unsigned extension holds the strict policy back, and is named',
      node,
      `truncate -s 1M /run/extensions/foreign.raw
sh /run/sextant/activate prepare 2>&1 | tee /run/sextant-lab/said
grep -F foreign.raw /run/sextant-lab/said
rm /run/extensions/foreign.raw`,
    );
    await stage.verdict(
      node,
      'with the foreign one gone the strict policy is in force again, and the signed extension is merged under it',
      `sh /run/sextant/activate prepare
systemctl daemon-reload
systemctl restart systemd-sysext
systemctl cat systemd-sysext | grep -F 'root=signed+absent'
[ -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]
dmsetup table --target verity | grep -F ' ${signed.rootHash} '`,
    );
  },
};
