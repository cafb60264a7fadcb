import { API_FUNCTIONS } from './watch.ts';

/**
 * A script whose every line must succeed. `no COMMAND` is for what must not: the shell's own `! COMMAND` never ends a script; a command
 * that the guest does not have proves nothing. What was run is traced, and the end of the trace is printed when it fails.
 */
export function provingScript(script: string): string {
  return `${API_FUNCTIONS}
no() {
  command -v "$1" >/dev/null || { echo "$1: not on this machine, so it proves nothing" >&2; return 1; }
  if "$@"; then echo "must not be true: $*" >&2; return 1; fi
}
trace=/run/sextant-lab/trace.$$
( set -eux
${script}
) 2>"$trace"
code=$?
[ $code = 0 ] || tail -n 12 "$trace"
rm -f "$trace"
exit $code`;
}
