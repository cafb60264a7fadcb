import type { NodePaths } from './paths.ts';
import { nodePaths } from './paths.ts';
import { SCRIPT_DOWNLOAD } from './script-download.ts';
import { SCRIPT_MERGE } from './script-merge.ts';
import { SCRIPT_RUN } from './script-run.ts';
import { NODE_TIMING, type ScriptTiming, scriptValues } from './script-values.ts';
import type { Activation } from './types.ts';

// Variables are set here because what starts the script sets few: services and yip's commands have a short PATH and no locale.
const HEAD = `#!/bin/sh
# Downloads, enables, verifies and merges the system extension. POSIX sh; rendered by sextant, explained in docs/activation.md.
set -u
umask 022
export LC_ALL=C PATH="$PATH:/usr/sbin:/usr/bin:/sbin:/bin"
`;

const BEGINNING = `
folder="$store/sextant/$sha256"
file="$folder/$name.sysext.raw"
link="$store/active/$name.sysext.raw"
run_link="$enabled/$name.sysext.raw"
reason=

# To the journal, and to the console by the unit's StandardOutput=; a stage's output reaches neither, the kernel's log reaches both.
say() {
  echo "sextant: $*"
  case $command in prepare | start) echo "<3>sextant: $*" 2>/dev/null >"$kernel_log" ;; esac
}
command=\${1:-}
`;

/**
 * The POSIX shell script that a node runs: `prepare` before the merge, `start` in the network stage, `run` in the unit (tries until it
 * succeeds; exit code 3: refused for good), `once` for one try, `status` for people. A pure function of its arguments; `paths` and
 * `timing` are for tests.
 */
export function activationScript(
  activation: Activation,
  paths: NodePaths = nodePaths(activation.extensionName),
  timing: ScriptTiming = NODE_TIMING,
): string {
  return [
    HEAD,
    scriptValues(activation, paths, timing),
    '\n',
    BEGINNING,
    SCRIPT_DOWNLOAD,
    SCRIPT_MERGE,
    SCRIPT_RUN,
  ].join('');
}
