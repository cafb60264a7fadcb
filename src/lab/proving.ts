import { API_FUNCTIONS } from './watch.ts';

/**
 * A script whose every line must succeed. `no COMMAND` is for what must not: the shell's own `! COMMAND` never ends a script. What was run
 * is traced, and the end of the trace is printed when it fails.
 */
export function provingScript(script: string): string {
  return `${API_FUNCTIONS}
no() { if "$@"; then echo "must not be true: $*" >&2; return 1; fi; }
trace=/run/sextant-lab/trace.$$
( set -eux
${script}
) 2>"$trace"
code=$?
[ $code = 0 ] || tail -n 12 "$trace"
rm -f "$trace"
exit $code`;
}
