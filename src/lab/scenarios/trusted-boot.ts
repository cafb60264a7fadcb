import { copyFile, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKey, type KeyFiles } from '../../release/keys/create.ts';
import { withTemporaryFolder } from '../../support/files.ts';
import type { LabNode } from '../node.ts';
import { ACTIVATION_FILE, type Stage } from '../stage.ts';
import { trustedGuest } from '../trusted-boot/guest.ts';
import { FOREIGN_MARK, makeMedia } from '../trusted-boot/medium.ts';
import { type BootTools, bootTools } from '../trusted-boot/tools.ts';
import { startTpm, type Tpm } from '../trusted-boot/tpm.ts';
import { type BuiltRelease, variantRelease } from '../variant.ts';
import { imageOf, linkInstead, refused, UNTIL_ACTIVATED } from './common.ts';
import type { Scenario } from './types.ts';

/** Takes away what immucore has written of the firmware's certificates, before the merge, so that the kernel's keyring alone is left. */
const CERTIFICATES_FILE = '95_sextant-lab-certificates.yaml';
const KEYRING_ALONE = `#cloud-config
# Sextant lab, test equipment: the only certificates are to be those that the kernel has from the firmware.
stages:
  initramfs:
  - name: Sextant lab takes certificates away
    commands:
    - rm -rf /run/verity.d
`;

/** Reads a global UEFI variable of one byte through efivarfs, whose files begin with four bytes of attributes. */
const EFI = `efi() { od -An -tu1 -j4 -N1 "/sys/firmware/efi/efivars/$1-8be4df61-93ca-11d2-aa0d-00e098032b8c" | tr -d ' '; }`;

const SECURE_BOOT = `${EFI}
[ "$(efi SecureBoot)" = 1 ]
[ "$(efi SetupMode)" = 0 ]
grep -F '[integrity]' /sys/kernel/security/lockdown
grep -F rd.immucore.uki /proc/cmdline
no grep -F ${FOREIGN_MARK} /proc/cmdline`;

export const trustedBoot: Scenario = {
  name: 'trusted-boot',
  sentence:
    "an own UKI of Debian that stands in for one of Kairos' (immucore, kairos-agent, systemd, sd-boot, firmware and TPM are real; AuroraBoot, the installer and sealed partitions are not there): UEFI Secure Boot is enforced, db holds the release's certificate from the file that `sextant key show --trusted-boot` writes, a strict node takes the signed extension with no certificate but the firmware's and refuses one signed by another key; a UKI signed by another key does not start",
  noBiosLoader: true,
  async run(stage) {
    const { context } = stage.lab;
    const tools = await bootTools(context);
    const guest = await trustedGuest(tools, context);
    await withTemporaryFolder(join(tmpdir(), 'sextant-keys'), async (work) => {
      const [release, other] = [await key(work, 'release'), await key(work, 'other')];
      const signed = await signedBy(stage, 'signed', release, (recipe) => recipe);
      // Another root hash: systemd takes an active dm-verity device for a second file of the same one, whose bytes are then the same.
      const next = (recipe: string) => recipe.replaceAll('+k3s0', '+k3s1');
      const foreign = await signedBy(stage, 'signed-by-another', other, next);
      const where = { work, to: stage.folder, certificate: release.certificate };
      const media = await makeMedia(where, tools, guest, context.signal);
      const variables = join(stage.folder, 'variables.fd');
      await copyFile(join(tools.root, 'usr/share/OVMF/OVMF_VARS_4M.fd'), variables);
      const firmware = { code: join(tools.root, 'usr/share/OVMF/OVMF_CODE_4M.secboot.fd'), variables };
      const server = await stage.serve({ signed: signed.folder, foreign: foreign.folder });
      const strict = { strict: 'firmware' } as const;
      const oem = {
        [ACTIVATION_FILE]: await stage.activationOf(signed, `${server.guestUrl}/signed`, strict),
      };
      const disk = await withTpm(stage, tools, async (tpm) => {
        const machine = { firmware, tpm: tpm.socket };
        const node = await stage.node(oem, { base: media.own, machine });
        await firstBoot(stage, node, signed, await readFile(release.certificate, 'utf8'));
        await refusal(stage, node, signed, foreign, `${server.guestUrl}/foreign`);
        const none = Buffer.from(KEYRING_ALONE).toString('base64');
        await node.run(`echo ${none} | base64 -d >/oem/${CERTIFICATES_FILE}; sync`);
        await node.powerOff();
        return node;
      });
      await withTpm(stage, tools, async (tpm) => {
        const moreDisks = [{ file: media.foreign, format: 'raw', readOnly: true, first: true }] as const;
        const machine = { firmware, tpm: tpm.socket, moreDisks };
        await laterBoot(stage, await stage.bootAgain(disk, { machine }), signed);
      });
    });
  },
};

function key(work: string, name: string): Promise<KeyFiles> {
  return createKey({ name: join(work, name), commonName: name, bits: 2048, days: 30, encrypt: false });
}

function signedBy(
  stage: Stage,
  name: string,
  { key: file, certificate }: KeyFiles,
  change: (recipe: string) => string,
): Promise<BuiltRelease> {
  const signing = JSON.stringify({ key: file, certificate });
  return variantRelease(stage.lab, name, (recipe) => `${change(recipe)}\nsigning: ${signing}\n`);
}

async function withTpm<T>(stage: Stage, tools: BootTools, work: (tpm: Tpm) => Promise<T>): Promise<T> {
  const tpm = await startTpm(tools, stage.folder, stage.lab.context.signal);
  return work(tpm).finally(() => tpm.stop());
}

/** No certificate is in any folder of systemd's but the one that immucore fills from the firmware. */
const ONLY_FIRMWARE = `for folder in /etc /usr/local/lib /usr/lib; do
  [ -z "$(ls $folder/verity.d/*.crt 2>/dev/null)" ]
done`;

const merged = (
  { extensionName }: Stage,
  { rootHash }: BuiltRelease,
) => `systemctl cat systemd-sysext | grep -F 'root=signed+absent'
[ -e /usr/lib/extension-release.d/extension-release.${extensionName} ]
[ ! -e /run/extensions/${extensionName}.sysext.roothash ]
dmsetup table --target verity | grep -F ' ${rootHash} ' | grep -F root_hash_sig_key_desc`;

/** The firmware is emulated too, hashes what it starts, and starts twice: it enrolls its keys first. */
const BOOT_SECONDS = 2400;

async function firstBoot(stage: Stage, node: LabNode, signed: BuiltRelease, certificate: string) {
  await node.boot(BOOT_SECONDS);
  await stage.prove(
    'sd-boot has enrolled the keys; Secure Boot is enforced, the kernel locked down, immucore the init of the UKI',
    node,
    `${SECURE_BOOT}
[ -e /run/cos/uki_boot_mode ]
[ -e /run/cos/active_mode ]`,
  );
  await stage.prove(
    'the TPM holds measurements of the UKI (PCR 11) and of the Secure Boot policy (PCR 7)',
    node,
    `for pcr in 7 11; do
  value=$(cat /sys/class/tpm/tpm0/pcr-sha256/$pcr)
  echo "PCR $pcr: $value"
  [ "$(printf %s "$value" | tr -d '0\\n')" != '' ]
done`,
  );
  const body = certificate.replace(/-----[A-Z ]+-----|\s/g, '');
  await stage.prove(
    "the release's certificate came out of the firmware's db, into the kernel's keyring and by immucore into /run/verity.d, and is nowhere else",
    node,
    `dmesg | grep -F "Loaded X.509 cert 'release:"
found=
for file in /run/verity.d/DB*.crt; do
  if [ "$(sed '/-----/d' "$file" | tr -d '\\n')" = ${body} ]; then found=$file; fi
done
[ -n "$found" ]
${ONLY_FIRMWARE}`,
  );
  await stage.prove(
    'the activation downloaded it, and it is merged under the strict policy, its signature checked by the kernel',
    node,
    `${UNTIL_ACTIVATED}
${ONLY_FIRMWARE}
${merged(stage, signed)}
k3s --version | grep '^k3s version v'`,
  );
}

async function refusal(
  stage: Stage,
  node: LabNode,
  signed: BuiltRelease,
  foreign: BuiltRelease,
  url: string,
) {
  const link = `/run/extensions/${stage.extensionName}.sysext.raw`;
  await stage.prove(
    'an extension signed by a key that is not in db is refused',
    node,
    refused(
      stage,
      `readlink -f ${link} >/run/sextant-lab/signed
${linkInstead(stage, 'foreign', url, imageOf(foreign))}`,
    ),
  );
  await stage.prove(
    "what immucore decides by (systemd-dissect --validate) does not ask who signed it, but a UKI's own policy refuses it too",
    node,
    `. /etc/profile.d/systemd-sysext.sh
policy='root=verity+signed+absent:usr=verity+signed+absent'
systemd-dissect --validate --image-policy="$policy" /run/sextant-lab/foreign.raw
no systemd-sysext refresh --image-policy="$policy"
[ ! -e /usr/lib/extension-release.d/extension-release.${stage.extensionName} ]`,
  );
  await stage.prove(
    'merged again once the signed one is back',
    node,
    `ln -sfn "$(cat /run/sextant-lab/signed)" ${link}
systemctl restart systemd-sysext
${merged(stage, signed)}`,
  );
}

/** What the firmware says of an image whose signature it does not take (edk2, MdeModulePkg/Library/UefiBootManagerLib/BmMessage.c). */
export const REFUSED_START = /BdsDxe: failed to (load|start) [^\n]*: (Access Denied|Security Violation)/;

async function laterBoot(stage: Stage, node: LabNode, signed: BuiltRelease) {
  await node.boot(BOOT_SECONDS);
  stage.check(
    'the firmware refused to start the UKI that another key signed',
    REFUSED_START.test(await stage.consoleOf(node)),
    (await stage.consoleOf(node))
      .split('\n')
      .filter((line) => line.includes('BdsDxe'))
      .join('\n'),
  );
  await stage.verdict(
    node,
    'and started ours after it: immucore linked the extension, and it is merged at boot with no certificate in any file, by the key in db alone',
    `${SECURE_BOOT}
until systemctl is-active systemd-sysext; do sleep 1; done
[ ! -e /run/verity.d ]
${ONLY_FIRMWARE}
dmesg | grep -F "Loaded X.509 cert 'release:"
[ "$(readlink /run/extensions/${stage.extensionName}.sysext.raw)" = /var/lib/kairos/extensions/active/${stage.extensionName}.sysext.raw ]
${merged(stage, signed)}`,
  );
}
