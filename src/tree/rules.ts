/**
 * The rules that decide where a path goes (design decision 2), first match wins. Each says why, because the reason is what a
 * person reads in an error and in `sextant inspect`.
 */
export interface Rule {
  /** Name shown with the path; stable, the manifest holds it. */
  readonly name: string;
  /** Absolute paths (no trailing slash); a rule holds for the path itself and everything below it, unless `exact`. */
  readonly paths: readonly string[];
  readonly exact?: boolean;
  readonly outcome:
    | { readonly kind: 'delivered' }
    /** The part of the path that matched is replaced. */
    | { readonly kind: 'relocated'; readonly to: string }
    | { readonly kind: 'units' }
    | { readonly kind: 'factory' }
    | { readonly kind: 'dropped' }
    | { readonly kind: 'refused'; readonly advice: string };
  readonly reason: string;
}

/** What Kairos sets SYSTEMD_SYSEXT_HIERARCHIES to: only below these does a merge show an extension's files. */
export const HIERARCHIES = [
  '/usr/local/bin',
  '/usr/local/sbin',
  '/usr/local/include',
  '/usr/local/lib',
  '/usr/local/share',
  '/usr/local/src',
  '/usr/bin',
  '/usr/share',
  '/usr/lib',
  '/usr/include',
  '/usr/src',
  '/usr/sbin',
] as const;

export const UNIT_FOLDER = '/usr/lib/systemd/system';
export const ETC_UNIT_FOLDER = '/etc/systemd/system';
export const FACTORY_FOLDER = '/usr/share/factory';
/** Cloud-config that the extension carries; read-only and root's, because whoever writes here is root on the node. */
export const CLOUD_CONFIG_FOLDER = '/usr/share/sextant/cloud-config.d';

/** /etc folders that have a twin below /usr/lib which the same program reads; a factory copy would come after it has read them. */
const TWINS: readonly [string, string][] = [
  ['/etc/systemd/user', '/usr/lib/systemd/user'],
  ['/etc/systemd/network', '/usr/lib/systemd/network'],
  ['/etc/systemd/system.conf.d', '/usr/lib/systemd/system.conf.d'],
  ['/etc/systemd/journald.conf.d', '/usr/lib/systemd/journald.conf.d'],
  ['/etc/systemd/resolved.conf.d', '/usr/lib/systemd/resolved.conf.d'],
  ['/etc/tmpfiles.d', '/usr/lib/tmpfiles.d'],
  ['/etc/sysusers.d', '/usr/lib/sysusers.d'],
  ['/etc/sysctl.d', '/usr/lib/sysctl.d'],
  ['/etc/modules-load.d', '/usr/lib/modules-load.d'],
  ['/etc/modprobe.d', '/usr/lib/modprobe.d'],
  ['/etc/binfmt.d', '/usr/lib/binfmt.d'],
  ['/etc/udev/rules.d', '/usr/lib/udev/rules.d'],
];

export const RULES: readonly Rule[] = [
  {
    name: 'temporary files',
    paths: ['/tmp', '/var/tmp', '/run', '/var/run', '/var/lock'],
    outcome: { kind: 'dropped' },
    reason: 'empty again at every boot',
  },
  {
    name: 'caches',
    paths: ['/var/cache', '/root/.cache', '/root/.config', '/root/.local', '/root/go', '/root/.wget-hsts'],
    outcome: { kind: 'dropped' },
    reason: 'made anew by whoever needs it',
  },
  {
    name: 'logs',
    paths: ['/var/log'],
    outcome: { kind: 'dropped' },
    reason: 'tells about the build, not about the node',
  },
  {
    name: 'kernel file systems',
    paths: ['/dev', '/proc', '/sys'],
    outcome: { kind: 'dropped' },
    reason: 'made by the kernel of the node',
  },
  {
    name: 'identity of the machine',
    paths: [
      '/etc/hostname',
      '/etc/hosts',
      '/etc/resolv.conf',
      '/etc/machine-id',
      '/etc/mtab',
      '/etc/ld.so.cache',
      '/etc/.pwd.lock',
    ],
    exact: true,
    outcome: { kind: 'dropped' },
    reason: 'each machine has its own',
  },
  {
    name: 'accounts',
    paths: ['/etc/passwd', '/etc/group', '/etc/shadow', '/etc/gshadow', '/etc/subuid', '/etc/subgid'],
    exact: true,
    outcome: {
      kind: 'refused',
      advice:
        'declare the account in /usr/lib/sysusers.d/NAME.conf (sysusers.d(5)); the node has its own file',
    },
    reason: 'a node has its own accounts, a copy would never be laid down',
  },
  {
    name: 'accounts (backups)',
    paths: ['/etc/passwd-', '/etc/group-', '/etc/shadow-', '/etc/gshadow-', '/etc/subuid-', '/etc/subgid-'],
    exact: true,
    outcome: { kind: 'dropped' },
    reason: 'backups of the sandbox',
  },
  {
    name: 'release file of an extension',
    paths: ['/usr/lib/extension-release.d'],
    outcome: { kind: 'refused', advice: 'leave it out; sextant writes this file' },
    reason: 'a second one would describe another extension',
  },
  {
    name: 'release file of the system',
    paths: ['/usr/lib/os-release'],
    exact: true,
    outcome: { kind: 'refused', advice: 'leave it out' },
    reason: 'systemd-sysext refuses an extension that replaces it',
  },
  {
    name: 'cloud-config carried by the extension',
    paths: [CLOUD_CONFIG_FOLDER],
    outcome: { kind: 'delivered' },
    reason: 'its stage "sextant" runs when the extension is activated',
  },
  {
    name: 'files of sextant',
    paths: ['/usr/lib/sextant', '/usr/share/sextant'],
    outcome: { kind: 'refused', advice: 'choose another folder' },
    reason: 'only sextant writes there',
  },
  {
    name: 'merged hierarchies',
    paths: HIERARCHIES,
    outcome: { kind: 'delivered' },
    reason: 'systemd-sysext merges this folder',
  },
  {
    name: 'units',
    paths: [ETC_UNIT_FOLDER],
    outcome: { kind: 'units' },
    reason: `units are read from ${UNIT_FOLDER} too, which an extension can deliver`,
  },
  ...TWINS.map(
    ([from, to]): Rule => ({
      name: `twin of ${from}`,
      paths: [from],
      outcome: { kind: 'relocated', to },
      reason: `the same program reads ${to}`,
    }),
  ),
  {
    name: 'configuration',
    paths: ['/etc'],
    outcome: { kind: 'factory' },
    reason: 'no extension delivers /etc; tmpfiles.d lays it down where the node has no such file',
  },
  {
    name: 'plug-in folder',
    paths: ['/usr/local/system', '/system'],
    outcome: {
      kind: 'refused',
      advice: 'put the plug-in in /usr/local/bin; the extension links it where kairos-agent looks',
    },
    reason: 'not a merged hierarchy',
  },
  {
    name: 'libraries of another layout',
    paths: ['/usr/lib64', '/usr/lib32', '/usr/libx32'],
    outcome: { kind: 'refused', advice: 'use /usr/lib/<multiarch> (/usr/lib/x86_64-linux-gnu)' },
    reason: 'not a merged hierarchy',
  },
  {
    name: 'folders from before the /usr merge',
    paths: ['/bin', '/sbin', '/lib', '/lib64'],
    outcome: { kind: 'refused', advice: 'use the same path below /usr' },
    reason: 'links into /usr on every Kairos image',
  },
  {
    name: 'helper programs',
    paths: ['/usr/libexec', '/usr/local/libexec', '/usr/games', '/usr/local/games'],
    outcome: { kind: 'refused', advice: 'use /usr/lib/NAME instead' },
    reason: 'not a merged hierarchy',
  },
  {
    name: 'state',
    paths: ['/var'],
    outcome: {
      kind: 'refused',
      advice:
        'create it at run time (StateDirectory= in the unit, or a line in /usr/lib/tmpfiles.d), or keep a template in /usr/share',
    },
    reason: 'belongs to the node and outlives the extension',
  },
  {
    name: 'boot files',
    paths: ['/boot', '/efi'],
    outcome: { kind: 'refused', advice: 'build it into the operating system image' },
    reason: 'read before any extension is merged',
  },
  {
    name: 'homes',
    paths: ['/root', '/home'],
    outcome: { kind: 'refused', advice: 'write it from cloud-config' },
    reason: "the people's own files",
  },
  {
    name: 'anything else',
    paths: ['/'],
    outcome: {
      kind: 'refused',
      advice: 'have it written below /usr/bin, /usr/lib or /usr/share, or create it at run time',
    },
    reason: 'not a merged hierarchy',
  },
];

/** Folders that every image has: an empty one in the upper layer only means that something in it was touched. */
export const BASE_FOLDERS: ReadonlySet<string> = new Set([
  ...HIERARCHIES,
  ...HIERARCHIES.filter((path) => path.startsWith('/usr/local/')).map((path) =>
    path.slice('/usr/local'.length),
  ),
  '/usr',
  '/usr/local',
  '/usr/local/etc',
  '/usr/local/games',
  '/usr/local/man',
  '/usr/games',
  '/usr/libexec',
  '/usr/lib64',
  '/lib64',
  '/bin',
  '/sbin',
  '/lib',
  '/etc',
  '/etc/systemd',
  ETC_UNIT_FOLDER,
  '/etc/default',
  '/etc/ssl',
  '/etc/ssl/certs',
  ...TWINS.map(([from]) => from),
  '/var',
  '/var/lib',
  '/var/lib/misc',
  '/var/local',
  '/var/mail',
  '/var/opt',
  '/var/spool',
  '/var/backups',
  '/boot',
  '/efi',
  '/home',
  '/media',
  '/mnt',
  '/opt',
  '/root',
  '/srv',
]);

/** Where an empty folder can be made on the node by a line of tmpfiles.d instead of failing the build. */
export const EMPTY_FOLDERS_MADE_BELOW = ['/etc', '/var', '/opt', '/srv'] as const;

export const EMPTY_BASE_FOLDER_RULE = 'folder that every image has';
