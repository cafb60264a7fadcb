/** Where things are on a node. Tests put another root in front; a node has none. */
export interface NodePaths {
  /** Kairos' store of system extensions. */
  readonly store: string;
  /** What systemd-sysext merges; immucore links the booted slot's extensions there. */
  readonly enabled: string;
  /** The other folders systemd-sysext(8) looks into. */
  readonly otherEnabled: readonly string[];
  /** Our files of this boot. */
  readonly runtime: string;
  /** Units and drop-ins of this boot; gone with it, so nothing stays after deactivation. */
  readonly units: string;
  /** Rules of udev for this boot. */
  readonly udevRules: string;
  /** immucore's sentinels: active_mode, passive_mode, recovery_mode, ... */
  readonly sentinels: string;
  /** Records of sextant-node; where there are any, they decide and this file does not. */
  readonly records: string;
  /** Settings of sextant-node (docs/generations.md). */
  readonly settings: string;
  readonly releaseFile: string;
  readonly selfActivation: string;
  readonly certificate: string;
  readonly blockDevices: string;
  readonly kernelLog: string;
  readonly trustStores: readonly string[];
}

/** The paths for one extension. The /usr ones belong to the extension itself and exist only while it is merged. */
export function nodePaths(extensionName: string, root = ''): NodePaths {
  return {
    store: `${root}/var/lib/kairos/extensions`,
    enabled: `${root}/run/extensions`,
    otherEnabled: ['/etc', '/var/lib', '/usr/lib', '/usr/local/lib'].map(
      (folder) => `${root}${folder}/extensions`,
    ),
    runtime: `${root}/run/sextant`,
    units: `${root}/run/systemd/system`,
    udevRules: `${root}/run/udev/rules.d`,
    sentinels: `${root}/run/cos`,
    records: `${root}/opt/sextant/records`,
    settings: `${root}/etc/sextant/settings.json`,
    releaseFile: `${root}/usr/lib/extension-release.d/extension-release.${extensionName}`,
    selfActivation: `${root}/usr/lib/sextant/activate`,
    certificate: `${root}/etc/verity.d/${extensionName}.crt`,
    blockDevices: `${root}/sys/class/block`,
    kernelLog: `${root}/dev/kmsg`,
    trustStores: [
      '/etc/ssl/certs/ca-certificates.crt',
      '/etc/pki/tls/certs/ca-bundle.crt',
      '/etc/ssl/ca-bundle.pem',
      '/etc/ssl/cert.pem',
    ].map((file) => `${root}${file}`),
  };
}

export const UNIT_NAME = 'sextant-activate.service';
export const DAMAGED_UNIT_NAME = 'sextant-damaged.service';
