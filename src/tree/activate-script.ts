import type { Enabled } from './enablement.ts';
import { CLOUD_CONFIG_FOLDER, ETC_UNIT_FOLDER } from './rules.ts';

/** What the activation of one extension has to do. All paths are on the node. */
export interface ActivationContent {
  readonly extensionName: string;
  /** The provider plug-in in the merged tree. */
  readonly plugin: string;
  /** Names of the units the extension carries. */
  readonly units: readonly string[];
  /** Units that the extension itself enables. */
  readonly enabled: readonly Enabled[];
  /** File names below /usr/lib/{sysusers,modules-load,sysctl,tmpfiles}.d that came with the extension. */
  readonly sysusers: readonly string[];
  readonly modulesLoad: readonly string[];
  readonly sysctl: readonly string[];
  readonly tmpfiles: readonly string[];
  /** Identifies the content of the extension: its cloud-config runs once for each content and boot. */
  readonly contentId: string;
}

/** Where the script finds things. A test gives its own. */
export interface NodePaths {
  /** Folder where kairos-agent looks for plug-ins that are not in the image. */
  readonly providers: string;
  /** The same for plug-ins in the image itself. */
  readonly imageProviders: string;
  /** Enablement links lie below it. */
  readonly units: string;
  readonly cloudConfig: string;
  /** Forgotten at every boot. */
  readonly run: string;
  readonly console: string;
  readonly searchPath: string;
  /** Folder of systemd's helper programs. */
  readonly systemd: string;
  /** sextant-node as the extension carries it, and where its records are. */
  readonly nodeProgram: string;
  readonly records: string;
  /** The node's settings of sextant-node. */
  readonly settings: string;
}

export const NODE_PATHS: NodePaths = {
  providers: '/usr/local/system/providers',
  imageProviders: '/system/providers',
  units: ETC_UNIT_FOLDER,
  cloudConfig: CLOUD_CONFIG_FOLDER,
  run: '/run/sextant',
  console: '/dev/console',
  searchPath: '/usr/sbin:/usr/bin:/sbin:/bin',
  systemd: '/usr/lib/systemd',
  nodeProgram: '/usr/lib/sextant/sextant-node',
  records: '/opt/sextant/records',
  settings: '/etc/sextant/settings.json',
};

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function forEach(names: readonly string[], command: string): string[] {
  return names.map((name) => `attempt ${command} ${quote(name)}`);
}

/**
 * The POSIX shell script that activates the extension after a merge (design decision 6): accounts, modules, sysctl and factory
 * copies, the plug-in's link, the cloud-config the extension ships, then the units that are enabled but that PID 1 did not start,
 * because it computed its boot transaction before they existed, and at last sextant-node where the settings ask for it. It can run any number of
 * times and always ends with 0.
 *
 * `kairos-agent run-stage` reads the node's own cloud-config folders as well, whatever it is told (v2.31.4, pkg/utils/runstage.go);
 * so the extension's files use a stage of their own, "sextant", and no boot stage runs twice.
 */
export function activateScript(content: ActivationContent, paths: NodePaths = NODE_PATHS): string {
  const pluginName = content.plugin.slice(content.plugin.lastIndexOf('/') + 1);
  const preparations = [
    ...forEach(content.sysusers, 'systemd-sysusers'),
    ...forEach(content.modulesLoad, quote(`${paths.systemd}/systemd-modules-load`)),
    ...forEach(content.sysctl, quote(`${paths.systemd}/systemd-sysctl`)),
    ...forEach(content.tmpfiles, 'systemd-tmpfiles --create'),
  ];
  return `#!/bin/sh
# Activates the system extension ${content.extensionName} after it was merged. kairos-agent.service runs it before it starts, and so does
# sextant-activate.service. It may run at any time and as often as wanted, and never fails its caller: trouble goes to the
# journal and to the console. Written by sextant.
set -u
PATH=${quote(paths.searchPath)}
LC_ALL=C
export PATH LC_ALL
umask 022

plugin=${quote(content.plugin)}
link=${quote(`${paths.providers}/${pluginName}`)}
units=${quote(` ${content.units.join(' ')} `)}

say() {
  printf 'sextant: %s\\n' "$*"
}

trouble() {
  printf 'sextant: %s\\n' "$*" >&2
  { printf 'sextant: %s\\n' "$*" > ${quote(paths.console)}; } 2> /dev/null || :
}

# One at a time: the merge of a running node and kairos-agent may both be at it. Where there is no flock they may overlap, which
# only means that the same is done twice. Not the lock of the activation file's script, which holds its own while it calls this one.
lock() {
  # A shell ends where exec cannot open a file, so the opening is tried in another one first.
  (mkdir -p ${quote(paths.run)} && : > ${quote(`${paths.run}/extension.lock`)}) 2> /dev/null || return
  exec 9> ${quote(`${paths.run}/extension.lock`)}
  if command -v flock > /dev/null; then flock -w 60 9; fi
}

# Runs a command for at most a minute; what it prints is shown when it fails.
attempt() {
  printed=$(timeout 60 "$@" 2>&1 9>&-)
  code=$?
  [ "$code" -eq 0 ] && return 0
  trouble "$* failed with exit code $code: $printed"
  return 1
}

# The plug-in where kairos-agent looks. A file that is not a link belongs to someone else and stays.
link_plugin() {
  if [ ! -x "$plugin" ]; then
    trouble "$plugin is not there: the extension is not merged, or not whole"
    return
  fi
  if [ -e ${quote(`${paths.imageProviders}/${pluginName}`)} ]; then
    say "the image has a plug-in of its own in ${paths.imageProviders}, which comes first"
    return
  fi
  if [ -L "$link" ]; then
    [ "$(readlink "$link")" = "$plugin" ] && return
  elif [ -e "$link" ]; then
    trouble "$link is not a link and stays as it is; remove it to use the plug-in of the extension"
    return
  fi
  # kairos-agent runs whatever is named agent-provider-* there, so the temporary name begins with a dot.
  temporary=\${link%/*}/.sextant.$$
  if mkdir -p "\${link%/*}" && ln -s "$plugin" "$temporary" && mv -fT "$temporary" "$link"; then
    say "linked $link to $plugin"
  else
    rm -f "$temporary"
    trouble "could not link $link to $plugin"
  fi
}

# Runs the stage "sextant" of the cloud-config that the extension carries, once for each content and boot. Whoever can write these
# files is root on the node, so nobody but root may.
run_cloud_config() {
  found=
  for file in ${quote(paths.cloudConfig)} ${quote(paths.cloudConfig)}/*.yaml ${quote(paths.cloudConfig)}/*.yml; do
    [ -e "$file" ] || [ -L "$file" ] || continue
    case $(stat -c '%u %A' "$file") in
      '0 '[-d]????-??-?) ;;
      *)
        trouble "$file is not a file that only root may write; no cloud-config of the extension is used"
        return
        ;;
    esac
    [ -d "$file" ] || found=yes
  done
  [ -n "$found" ] || return
  [ "$(cat ${quote(`${paths.run}/cloud-config`)} 2> /dev/null)" = ${quote(content.contentId)} ] && return
  attempt kairos-agent run-stage --cloud-init-paths ${quote(paths.cloudConfig)} sextant || return
  if printf '%s\\n' ${quote(content.contentId)} > ${quote(`${paths.run}/cloud-config`)}; then
    say "ran the cloud-config of the extension"
  fi
}

# Lines "WHAT UNIT": a target or other unit, and what it wants by a link on the node or by the extension's own drop-ins.
enabled_units() {
  for wanted in ${quote(paths.units)}/*.wants/* ${quote(paths.units)}/*.requires/* ${quote(paths.units)}/*.upholds/*; do
    [ -L "$wanted" ] || continue
    folder=\${wanted%/*}
    folder=\${folder##*/}
    printf '%s %s\\n' "\${folder%.*}" "\${wanted##*/}"
  done
${content.enabled.map(({ by, unit }) => `  printf '%s %s\\n' ${quote(by)} ${quote(unit)}\n`).join('')}}

# True for a unit of the extension, or an instance of one of its templates.
is_carried() {
  name=$1
  case $name in
    *@*.*) name=\${name%%@*}@.\${name##*.} ;;
  esac
  case $units in
    *" $1 "* | *" $name "*) return 0 ;;
  esac
  return 1
}

# True where something is up or on its way up: during the boot a target is inactive, but a job for it is queued.
is_reached() {
  case $(timeout 20 systemctl show --property=ActiveState --property=Job "$1" 2> /dev/null) in
    *ActiveState=active* | *ActiveState=activating* | *ActiveState=reloading* | *Job=[1-9]*) return 0 ;;
  esac
  return 1
}

# True for a unit that could run and never has since the boot. One that someone stopped, or that failed, is not ours to start.
never_ran() {
  state=$(timeout 20 systemctl show --property=LoadState --property=ActiveState --property=InactiveExitTimestampMonotonic "$1" 2> /dev/null)
  for wanted in LoadState=loaded ActiveState=inactive InactiveExitTimestampMonotonic=0; do
    case "
$state
" in
      *"
$wanted
"*) ;;
      *) return 1 ;;
    esac
  done
}

start_enabled() {
  enabled_units | while read -r by unit; do
    if is_carried "$unit" && is_reached "$by" && never_ran "$unit"; then
      say "starting $unit, which $by wants"
      attempt systemctl start --no-block "$unit"
    fi
  done
}

# Where sextant-node has no record it takes this node over (design decision 6), if the node's settings ask for it. Beside the boot,
# because it reads the whole image; it copies itself out of the extension, and no other command of it ever runs from here.
adopt_node() {
  [ -x ${quote(paths.nodeProgram)} ] || return
  grep -Eqs '"adopt"[[:space:]]*:[[:space:]]*true' ${quote(paths.settings)} || return
  for record in ${quote(paths.records)}/*; do
    [ -e "$record" ] && return
  done
  is_reached sextant-adopt.service && return
  attempt systemd-run --no-block --collect --quiet --unit=sextant-adopt --description='Take this node over for sextant-node' \
    ${quote(paths.nodeProgram)} adopt --auto && say "sextant-node takes this node over; see: journalctl -u sextant-adopt"
}

${['lock', ...preparations, 'link_plugin', 'run_cloud_config', 'start_enabled', 'adopt_node', 'exit 0'].join('\n')}
`;
}
