import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ARCHITECTURE_NAMES, type Architecture } from '../support/architecture.ts';
import type { BuildLog } from './build-log.ts';
import { type LayerFile, linkOrCopy, resolveIn } from './lower-layer.ts';

/** Path, in the sandbox, of the root's own `uname`. */
export const REAL_UNAME = '/run/sextant/real/uname';

/**
 * A `uname` that says the target's machine name wherever the real one says the host's, in every combination of options, and passes
 * everything else on. Installers choose what to download by `uname -m`.
 */
export function unameShim(host: Architecture, target: Architecture): string {
  const names = { host: ARCHITECTURE_NAMES[host].machine, target: ARCHITECTURE_NAMES[target].machine };
  return `#!/bin/sh
# Written by sextant: this hook runs for ${target} on ${host}.
real=${REAL_UNAME}
all=
wanted=
for argument in "$@"; do
  case "$argument" in
    --all) all=1 ;;
    --kernel-name | --sysname) wanted="$wanted s" ;;
    --nodename) wanted="$wanted n" ;;
    --kernel-release | --release) wanted="$wanted r" ;;
    --kernel-version) wanted="$wanted v" ;;
    --machine) wanted="$wanted m" ;;
    --processor) wanted="$wanted p" ;;
    --hardware-platform) wanted="$wanted i" ;;
    --operating-system) wanted="$wanted o" ;;
    -*[!asnrvmpio]* | - | [!-]* | '') exec "$real" "$@" ;;
    *)
      letters=\${argument#-}
      while [ -n "$letters" ]; do
        rest=\${letters#?}
        letter=\${letters%"$rest"}
        letters=$rest
        if [ "$letter" = a ]; then all=1; else wanted="$wanted $letter"; fi
      done
      ;;
  esac
done
[ -n "$all$wanted" ] || exec "$real"
line=
for letter in s n r v m p i o; do
  if [ -z "$all" ]; then
    case " $wanted " in *" $letter "*) ;; *) continue ;; esac
  fi
  value=$("$real" "-$letter") || exit
  case "$letter" in
    m | p | i) if [ "$value" = ${names.host} ]; then value=${names.target}; fi ;;
  esac
  # As the real one: -a leaves out what is not known.
  if [ -n "$all" ] && [ "$value" = unknown ]; then
    case "$letter" in p | i) continue ;; esac
  fi
  line="$line\${line:+ }$value"
done
printf '%s\\n' "$line"
`;
}

/** An `arch` (coreutils) that prints the target's machine name. */
export function archShim(host: Architecture, target: Architecture): string {
  return `#!/bin/sh
# Written by sextant: this hook runs for ${target} on ${host}.
printf '%s\\n' ${ARCHITECTURE_NAMES[target].machine}
`;
}

/**
 * Shims for every `uname` and `arch` that the root has, so that a call by any path finds them; the real `uname` goes to REAL_UNAME.
 * Each is declared in the log.
 */
export async function machineShims(request: {
  readonly root: string;
  /** The sandbox's folder on the host; its `sextant` is /run/sextant. */
  readonly folder: string;
  readonly host: Architecture;
  readonly target: Architecture;
  readonly log: BuildLog;
}): Promise<LayerFile[]> {
  const { root, folder, host, target, log } = request;
  const files: LayerFile[] = [];
  for (const path of ['/usr/bin/uname', '/bin/uname', '/usr/bin/arch', '/bin/arch']) {
    const real = join(root, await resolveIn(root, path, 'follow'));
    if (!(await stat(real).catch(() => undefined))?.isFile()) continue;
    const isUname = path.endsWith('/uname');
    if (isUname && files.length === 0) {
      await mkdir(join(folder, 'sextant/real'), { recursive: true });
      await linkOrCopy(real, join(folder, 'sextant/real/uname'));
    }
    files.push({ path, content: (isUname ? unameShim : archShim)(host, target), mode: 0o755 });
    log.line('shim', `${path} says ${ARCHITECTURE_NAMES[target].machine}`);
  }
  return files;
}
