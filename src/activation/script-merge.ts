/** The part of the node's script that decides the image policy, pins, merges, and checks that dm-verity guards what was merged. */
export const SCRIPT_MERGE = `
has_records() { for record in "$records"/*; do [ -e "$record" ] && return 0; done; return 1; }

# Images that systemd-sysext would merge and that carry no signature, one name a line.
unsigned_images() {
  for image_folder in $image_folders; do
    for image in "$image_folder"/*.raw; do
      [ -f "$image" ] || continue
      # GPT entries begin in the third sector and take 32.
      entries=$(dd if="$image" bs=512 skip=2 count=32 2>/dev/null | od -An -v -tx1 | tr -d ' \\n')
      signed=no
      for partition in $signature_partitions; do
        case $entries in *"$partition"*) signed=yes ;; esac
      done
      [ $signed = yes ] || echo "\${image##*/}"
    done
  done
}

# One refused image fails the whole merge, so the strict policy is in force only while every enabled image can pass it.
set_policy() {
  dropin="$units/systemd-sysext.service.d/zz-sextant-strict.conf"
  policy=pin
  if [ "$trust" = strict ]; then
    if [ -e "$runtime/strict-failed" ]; then
      refused=$(cat "$runtime/strict-failed")
    else
      refused=$(unsigned_images | sort -u | tr '\\n' ' ')
    fi
    if [ -z "$refused" ]; then
      policy=strict
    else
      say "WARNING: the strict signature policy is NOT in force, because it would refuse: $refused"
      say "WARNING: disable or sign what is named; until then $name is held to its pinned root hash"
    fi
  fi
  if [ "$policy" = strict ]; then
    mkdir -p "\${dropin%/*}" && cat >"$dropin" <<'END'
[Service]
ExecStart=
ExecStart=systemd-sysext refresh --image-policy="root=signed+absent:usr=signed+absent"
ExecReload=
ExecReload=systemd-sysext refresh --image-policy="root=signed+absent:usr=signed+absent"
END
  else
    rm -f "$dropin"
  fi
}

linked() { [ -e "$file" ] && [ "$(readlink -f "$run_link")" = "$(readlink -f "$file")" ]; }

# sextant-node pins what it links. Under the strict policy it need not; where that cannot stay in force, this is made up for.
pin_linked() {
  image=$(readlink -f "$run_link")
  kept_hash="\${image%.raw}.roothash"
  sidecar="$enabled/$name.sysext.roothash"
  if [ "$policy" = pin ] && [ ! -e "$sidecar" ] && [ -s "$kept_hash" ]; then
    cat "$kept_hash" >"$enabled/.sextant-pin" && mv -f "$enabled/.sextant-pin" "$sidecar"
  fi
}

# Pins the file that is linked, and only that one: a root hash of another file would make the merge fail.
pin() {
  if has_records; then
    [ "$command" = prepare ] || pin_linked
    return 0
  fi
  sidecar="$enabled/$name.sysext.roothash"
  hash=
  if [ "$policy" = pin ] && [ -e "$run_link" ]; then
    image=$(readlink -f "$run_link")
    kept_hash="\${image%.raw}.roothash"
    if linked; then
      hash=$root_hash
    elif [ -s "$kept_hash" ]; then
      hash=$(cat "$kept_hash") # an earlier file of ours
    else
      say "WARNING: $image is not the file of this activation; it is merged without verification"
    fi
  fi
  if [ -n "$hash" ]; then
    printf '%s' "$hash" >"$enabled/.sextant-pin" && mv -f "$enabled/.sextant-pin" "$sidecar"
  else
    rm -f "$sidecar"
  fi
}

merged() { [ -e "$release_file" ]; }

# dm-verity is in use for our root hash. Without dmsetup: for a loop device on our file, which only a known root hash brings about.
verified() {
  if devices=$(dmsetup table --target verity 2>/dev/null); then
    case $devices in *" $root_hash "*) return 0 ;; *) return 1 ;; esac
  fi
  for device in "$block_devices"/dm-*; do
    grep -qs '^CRYPT-VERITY-' "$device/dm/uuid" || continue
    for backing in "$device"/slaves/*/loop/backing_file "$device"/slaves/*/../loop/backing_file; do
      grep -qs "/sextant/$sha256/$name.sysext.raw" "$backing" && return 0
    done
  done
  return 1
}

# Files of the extensions in which dm-verity has met a wrong byte since they were merged, one a line. A loop device names its file as
# seen from the file system it is on; ours are told by the end of the name.
damaged_files() {
  for device in "$block_devices"/dm-*; do
    grep -qs '^CRYPT-VERITY-' "$device/dm/uuid" || continue
    case $(dmsetup status "$(cat "$device/dm/name")" 2>/dev/null) in *' verity C'*) ;; *) continue ;; esac
    for backing in "$device"/slaves/*/loop/backing_file "$device"/slaves/*/../loop/backing_file; do
      [ -e "$backing" ] || continue
      image=$(cat "$backing")
      case $image in
      */sextant/*/"$name.sysext.raw")
        digest=\${image%/*}
        image="$store/sextant/\${digest##*/}/$name.sysext.raw"
        ;;
      esac
      echo "$image"
    done
  done | sort -u
}

damaged() { # 1 when something is; said once for each boot and set of files
  files=$(damaged_files)
  [ -n "$files" ] || return 0
  [ "$(cat "$runtime/damaged" 2>/dev/null)" != "$files" ] || return 1
  echo "$files" | while read -r image; do
    extension=\${image##*/}
    say "DAMAGED: the extension \${extension%.sysext.raw} is damaged on the disk: $image holds bytes that are not what its root hash says; reading them fails"
    case $image in
    "$store"/sextant/*) say "to put it right: rm -r \${image%/*} && reboot (the activation downloads it again)" ;;
    *) say "to put it right: install that extension again" ;;
    esac
  done
  echo "$files" >"$runtime/damaged"
  return 1
}

kubernetes_runs() {
  for service in k3s k3s-agent k0scontroller k0sworker; do
    systemctl is-active --quiet "$service.service" && return 0
  done
  return 1
}

others() { # enabled images that are not ours
  for image in "$enabled"/*.raw; do
    [ -e "$image" ] && [ "$image" != "$run_link" ] && echo "\${image##*/}"
  done
}

restart_merge() {
  systemctl daemon-reload
  systemctl reset-failed systemd-sysext.service 2>/dev/null
  systemctl restart systemd-sysext.service
}

remerge() { # also without the strict policy, where another extension stands in its way
  set_policy
  pin
  restart_merge && return 0
  [ "$policy" = strict ] && [ -n "$(others)" ] || return 1
  others | tr '\\n' ' ' >"$runtime/strict-failed"
  set_policy
  pin
  restart_merge && return 0
  rm -f "$runtime/strict-failed" # it was not the others
  return 1
}

take_back() { # leaves the other extensions merged
  rm -f "$run_link" "$enabled/$name.sysext.roothash"
  restart_merge
}

not_merged() {
  reason="systemd-sysext does not merge $name; see: journalctl -b -u systemd-sysext"
  [ "$policy" != strict ] || [ "$certificate" != firmware ] ||
    reason="$reason; is its signer's certificate in the firmware's db?"
  [ -z "$(others)" ] || reason="$reason (also enabled: $(others | tr '\\n' ' '))"
}

merge() { # 0 merged and verified, 1 worth another try, 3 refused for good
  mkdir -p "$enabled" || return 1
  linked || switch_link "$link" "$run_link" || return 1
  remerge
  if ! merged; then
    not_merged
    take_back
    return 1
  fi
  verified && return 0
  # Verified means verified: what cannot be is not run, now or at the next boot.
  rm -f "$link"
  take_back
  reason="REFUSED: $name was merged without dm-verity, so a changed byte would not be noticed; it is disabled again"
  return 3
}
`;
