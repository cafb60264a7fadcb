import { X509Certificate } from 'node:crypto';
import { DAMAGED_UNIT_NAME, nodePaths, UNIT_NAME } from './paths.ts';
import { activationScript } from './script.ts';
import type { Activation, NodeFile } from './types.ts';

function unit({ extensionName, kubernetesVersion }: Activation, script: string): string {
  return `[Unit]
Description=Install the ${extensionName} extension (Kubernetes ${kubernetesVersion})
StartLimitIntervalSec=0

[Service]
# It tries until it succeeds; the restart is for when it is killed. 3 means refused for good.
ExecStart=/bin/sh ${script} run
RemainAfterExit=yes
Restart=on-failure
RestartSec=10
RestartPreventExitStatus=3
StandardOutput=journal+console
`;
}

function damagedUnit({ extensionName }: Activation, script: string): string {
  return `[Unit]
Description=Say which extension is damaged on the disk (${extensionName})

[Service]
Type=oneshot
# It fails when there is something to say, so that \`systemctl --failed\` shows it.
ExecStart=/bin/sh ${script} damaged
StandardOutput=journal+console
`;
}

// dm-verity sends this event for the first blocks that are wrong (Linux, drivers/md/dm-verity-target.c, verity_handle_err).
const DAMAGED_RULE = `ACTION=="change", SUBSYSTEM=="block", ENV{DM_VERITY_ERR_BLOCK_NR}=="?*", RUN+="/usr/bin/systemctl start --no-block ${DAMAGED_UNIT_NAME}"
`;

function limits(seconds: number): string {
  return `[Unit]
JobRunningTimeoutSec=${seconds}

[Service]
TimeoutStartSec=${seconds}
`;
}

/** systemd reads one certificate out of each file (dissect-image.c, validate_signature_userspace): further ones get files of their own. */
function certificateFiles(pem: string, first: string): NodeFile[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? [];
  return blocks.map((content, index) => {
    const { fingerprint256 } = new X509Certificate(content);
    const short = fingerprint256.replaceAll(':', '').toLowerCase().slice(0, 8);
    const path = index === 0 ? first : first.replace(/\.crt$/, `-${short}.crt`);
    return { path, mode: 0o644, content };
  });
}

/** The files that the activation writes at every boot, all on file systems that are gone with it (/run, and /etc's overlay). */
export function nodeFiles(activation: Activation): NodeFile[] {
  const paths = nodePaths(activation.extensionName);
  const script = `${paths.runtime}/activate`;
  const { trust, caCertificatePem } = activation;
  return [
    // Kairos' own drop-in is kairos.conf (kairos-uki.conf under trusted boot): drop-ins apply in the order of their names.
    {
      path: `${paths.units}/systemd-sysext.service.d/zz-sextant.conf`,
      mode: 0o644,
      content: limits(activation.mergeTimeoutSeconds),
    },
    { path: `${paths.units}/${UNIT_NAME}`, mode: 0o644, content: unit(activation, script) },
    {
      path: `${paths.units}/${DAMAGED_UNIT_NAME}`,
      mode: 0o644,
      content: damagedUnit(activation, script),
    },
    { path: `${paths.udevRules}/90-sextant.rules`, mode: 0o644, content: DAMAGED_RULE },
    ...(trust.mode === 'strict' && trust.certificatePem !== undefined
      ? certificateFiles(trust.certificatePem, paths.certificate)
      : []),
    ...(activation.adopt ? [{ path: paths.settings, mode: 0o644, content: '{"adopt": true}\n' }] : []),
    ...(caCertificatePem === undefined
      ? []
      : [{ path: `${paths.runtime}/ca.pem`, mode: 0o644, content: caCertificatePem }]),
    // 0700: the address or the proxy may hold a password.
    { path: script, mode: 0o700, content: activationScript(activation, paths) },
  ];
}
