/** The part of the node's script that a stage or the unit calls: prepare, start, run, once, status, damaged. */
export const SCRIPT_RUN = `
state() { echo "$*" >"$runtime/.state" && mv -f "$runtime/.state" "$runtime/state"; }

# True where extensions are for the installed system to use: not in recovery, reset, live and install boots.
usual_boot() {
  for sentinel in recovery autoreset live uki_install; do
    [ -e "$sentinels/\${sentinel}_mode" ] && return 1
  done
  return 0
}

# Before the merge, at every boot.
prepare() {
  usual_boot || return 0
  # The passive slot has no links of its own: it runs what the active one does, rather than no Kubernetes.
  if [ -e "$sentinels/passive_mode" ] && [ ! -e "$run_link" ] && [ -e "$link" ] && ! has_records; then
    mkdir -p "$enabled" && switch_link "$link" "$run_link"
  fi
  set_policy
  pin
}

# kairos-agent looks for the provider once, when it starts. One that started before the merge starts again.
tell_agent() {
  if [ -x "$self_activation" ]; then
    "$self_activation" || say "WARNING: $self_activation failed; see: journalctl -b -u $unit"
  fi
  since=$(systemctl show --property=InactiveExitTimestampMonotonic kairos-agent.service 2>/dev/null)
  [ "\${since#*=}" = 0 ] && return 0
  say "starting kairos-agent again, so that it finds the provider"
  systemctl restart --no-block kairos-agent.service
}

attempt() { # 0 done, 1 worth another try, 3 refused for good; the reason is in $reason
  if [ -z "$url" ]; then
    reason="this activation has no image for $(uname -m)"
    return 3
  fi
  if has_records; then
    merged && return 0
    say "$name is not merged; merging what sextant-node has linked"
    remerge
    merged || { not_merged; return 1; }
    tell_agent
    return 0
  fi
  merged && linked && verified && return 0
  obtain || return 1
  enable_file || return 1
  if merged && kubernetes_runs; then
    say "Kubernetes runs from an extension merged earlier; this one takes its place at the next boot"
    return 0
  fi
  merge || return
  say "$name is merged, dm-verity in use, root hash $root_hash"
  tell_agent
}

once() {
  reason="cannot write to $runtime"
  mkdir -p "$runtime" || return 1
  # The lock is on a file descriptor: it goes with the last process that writes, however that ends.
  exec 9>"$runtime/lock"
  flock 9 || say "WARNING: no flock here; two runs at once would disturb each other"
  attempt
  outcome=$?
  exec 9>&-
  return $outcome
}

# Where sextant-node decides, another release in this file is a wish: it puts it on trial, once. The address may hold a password, so it is
# not on the command line. Exit codes 4 and 6: what came is not right, the network; 9: not the moment, and it has said why.
follow() {
  program="\${records%/records}/bin/sextant-node"
  has_records && [ -x "$program" ] || return 0
  delay=$first_delay
  while :; do
    SEXTANT_NAME=$name SEXTANT_VERSION=$kubernetes SEXTANT_URL=\${place:-$url} SEXTANT_SHA256=$sha256 \
      SEXTANT_ROOT_HASH=$root_hash SEXTANT_SIZE=$size "$program" follow
    case $? in
    4 | 6) say "next try in $delay s" ;;
    9) ;;
    *) return 0 ;;
    esac
    sleep "$delay"
    delay=$((delay * 2))
    [ "$delay" -gt "$longest_delay" ] && delay=$longest_delay
  done
}

run() {
  mkdir -p "$runtime"
  delay=$first_delay
  failures=0
  had=0
  while :; do
    state working "$failures"
    once
    outcome=$?
    case $outcome in
    0) state ready; follow; return 0 ;;
    3) say "$reason"; state refused "$reason"; return 3 ;;
    esac
    # A try that got further counts as a first one.
    has=$(size_of "$folder/.part")
    [ "$has" -gt "$had" ] && delay=$first_delay
    had=$has
    failures=$((failures + 1))
    say "$reason; next try in $delay s"
    state waiting "$failures"
    sleep "$delay"
    delay=$((delay * 2))
    [ "$delay" -gt "$longest_delay" ] && delay=$longest_delay
  done
}

# In the network stage: kairos-agent starts after it, so what is merged by then is Kubernetes on this very boot.
start() {
  usual_boot || return 0
  systemctl cat "$unit" >/dev/null 2>&1 || systemctl daemon-reload
  systemctl start --no-block "$unit" || return
  waited=0
  while [ "$waited" -lt "$wait_seconds" ]; do
    progress=''
    [ ! -e "$runtime/state" ] || read -r progress _ <"$runtime/state"
    case $progress in
    ready | refused) return 0 ;;
    waiting) [ "$waited" -lt "$patience" ] || break ;;
    esac
    sleep 1
    waited=$((waited + 1))
  done
  say "boot goes on without $name; the download goes on too (journalctl -f -u $unit)"
}

status() {
  echo "wanted: SHA-256 $sha256, root hash $root_hash"
  has_records && echo "decides: sextant-node; another release in this file goes on trial once; see: \${records%/records}/bin/sextant-node status"
  echo "state: $(cat "$runtime/state" 2>/dev/null || echo 'not started on this boot')"
  echo "enabled: $(readlink "$link" || echo no)"
  merged && echo "merged: yes" || echo "merged: no"
  verified && echo "dm-verity: in use" || echo "dm-verity: not in use"
  [ -z "$(damaged_files)" ] || echo "damaged: $(damaged_files | tr '\\n' ' ')"
}

case \${1:-} in
prepare | start | run | once | status | damaged) "$1" ;;
*)
  echo "usage: $0 prepare|start|run|once|status|damaged" >&2
  exit 2
  ;;
esac
`;
