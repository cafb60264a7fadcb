import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tool } from '../machine/programs.ts';
import { ACTIVATION_FILE } from '../stage.ts';
import { variantRelease } from '../variant.ts';
import type { Scenario } from './types.ts';

export const strictTrust: Scenario = {
  name: 'strict-trust',
  sentence:
    'a signed release under the strict policy merges with its certificate; with another one, and unsigned, it is refused; a foreign unsigned extension is named',
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
    const signed = await variantRelease(
      stage.lab,
      'signed',
      (recipe) => `${recipe}\nsigning: { key: ${own.keyFile}, certificate: ${own.certificate} }\n`,
    );
    const server = await stage.serve({ signed: signed.folder });
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
    const refused = (what: string, because: string, change: string) =>
      stage.prove(
        what,
        node,
        `${change}
systemctl restart systemd-sysext && exit 1
[ ! -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]
journalctl -b -u systemd-sysext -n 20 --no-pager -o cat | grep -iE '${because}'`,
      );
    const certificate = `/etc/verity.d/${stage.extensionName}.crt`;
    await node.run('systemctl stop k3s');
    await refused(
      'refused without the certificate',
      'policy|signature|required key|key',
      `mv ${certificate} /run/kept.crt`,
    );
    await refused(
      "refused with another's certificate",
      'policy|signature|required key|key',
      `echo ${Buffer.from(other.pem).toString('base64')} | base64 -d >${certificate}`,
    );
    const link = `/run/extensions/${stage.extensionName}.sysext.raw`;
    await refused(
      'the same extension without a signature is refused, with the certificate there',
      'policy|signature|required key|key',
      `cp /run/kept.crt ${certificate}
readlink -f ${link} >/run/sextant-lab/signed
curl -sf -o /run/sextant-lab/unsigned.raw '${server.guestUrl}/release/${encodeURIComponent(stage.amd64.file)}'
[ "$(sha256sum </run/sextant-lab/unsigned.raw)" = '${stage.amd64.sha256}  -' ]
ln -sfn /run/sextant-lab/unsigned.raw ${link}`,
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
