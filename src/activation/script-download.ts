/**
 * The part of the node's script that gets the file and enables it: nothing is enabled before its digest has been checked. Exit code 60 is a
 * refused certificate, told by the words of curl's OpenSSL and of its GnuTLS; the next try goes by the clock as it is then. Tokens:
 * https://distribution.github.io/distribution/spec/auth/token/
 */
export const SCRIPT_DOWNLOAD = `
size_of() { if [ -f "$1" ]; then wc -c <"$1" | tr -d ' '; else echo 0; fi; }
digest_of() { sha256sum <"$1" | cut -d ' ' -f 1; }
intact() { [ "$(size_of "$1")" = "$size" ] && [ "$(digest_of "$1")" = "$sha256" ]; }

# To the disk, file or folder; without an argument for tools that know none.
settle() { sync "$1" 2>/dev/null || sync; }

# Switches a link in one step: whoever looks sees the old target or the new one.
switch_link() { # target link
  if [ -d "$2" ] && [ ! -L "$2" ]; then
    reason="$2 is a folder; a link belongs there"
    return 1
  fi
  ln -sfn "$1" "\${2%/*}/.sextant-link" && mv -f "\${2%/*}/.sextant-link" "$2"
}

certificates() { # the node's authorities and the one given, as curl wants one file for both
  for trust_store in $trust_stores; do
    [ -s "$trust_store" ] && { cat "$trust_store"; break; }
  done
  cat "$ca"
}

fetch() { # appends to the part file; 0 or curl's exit code
  if [ -n "$ca" ]; then certificates >"$runtime/authorities.pem" || return 77; fi
  append
  failure=$?
  if [ $failure = 22 ] && grep -qs '^401' "$runtime/http-code" && authorize; then
    append --header "Authorization: Bearer $token"
    failure=$?
  fi
  return $failure
}

curl_at() { # curl with the node's authorities and the one given
  [ -z "$ca" ] || set -- --cacert "$runtime/authorities.pem" "$@"
  exec curl --fail --silent --show-error --connect-timeout 15 --speed-limit 1024 --speed-time 60 \\
    --location --proto '=http,https' --proto-redir '=http,https' "$@"
}

append() {
  # A server that never stops sending must not fill the disk.
  (ulimit -f $((size / 512 + 2)) || true
    curl_at "$@" --continue-at - --dump-header "$runtime/head" --output "$part" --write-out '%{http_code}' "$url") \\
    >"$runtime/http-code" 2>"$runtime/curl-said"
}

# A public registry gives everybody a token, which ends soon. With TLS only by TLS.
authorize() {
  challenge=$(tr -d '\\r' <"$runtime/head" | sed -n 's/^[Ww][Ww][Ww]-[Aa]uthenticate: *[Bb]earer //p' | tail -n 1)
  realm=$(challenged realm)
  case $url,$realm in https://*,https://* | http://*,http://* | http://*,https://*) ;; *) return 1 ;; esac
  token=$(
    (curl_at --get --data-urlencode "service=$(challenged service)" --data-urlencode "scope=$(challenged scope)" "$realm") \\
      2>/dev/null | tr -d '\\n' | sed -n 's/.*"\\(access_\\)\\{0,1\\}token" *: *"\\([^"]*\\)".*/\\2/p'
  )
  [ -n "$token" ]
}
challenged() { printf '%s\\n' "$challenge" | sed -n "s/^\\(.*[ ,]\\)\\{0,1\\}$1=\\"\\([^\\"]*\\)\\".*/\\2/p"; }

why_not() { # the reason for curl's exit code $1
  case $1 in
  23) reason="$shown_url: cannot write $part: disk full?" ;;
  127) reason="curl is missing on this system" ;;
  60)
    reason="$shown_url: $(head -n 1 "$runtime/curl-said")"
    time=
    grep -qs 'not yet valid\\|not activated' "$runtime/curl-said" && time='is not yet valid'
    grep -qs 'has expired\\|expiration date has passed' "$runtime/curl-said" && time='has expired'
    [ -z "$time" ] ||
      reason="$shown_url: the server's certificate $time by this node's clock, which says $(date -u '+%Y-%m-%d %H:%M UTC'); set the clock; if it is right, renew the certificate"
    ;;
  *)
    reason="$shown_url: $(head -n 1 "$runtime/curl-said")"
    [ "$(size_of "$part")" -le "$size" ] || reason="$shown_url: more than the $size bytes expected"
    [ "$(size_of "$part")" = 0 ] || reason="$reason ($(size_of "$part") of $size bytes are here)"
    ;;
  esac
}

download() {
  part="$folder/.part"
  [ "$(size_of "$part")" -gt "$size" ] && rm -f "$part"
  kept=$(size_of "$part")
  if [ "$kept" -lt "$size" ]; then
    say "fetching $shown_url, $size bytes$([ "$kept" = 0 ] || echo ", $kept of them here already")"
    fetch
    failure=$?
    # 33 and 36: this server cannot continue; 416: it has less than we do.
    if [ "$kept" != 0 ] && { [ $failure = 33 ] || [ $failure = 36 ] || grep -qs '^416' "$runtime/http-code"; }; then
      say "$shown_url: the server cannot continue a download; starting again"
      rm -f "$part"
      fetch
      failure=$?
    fi
    if [ $failure != 0 ]; then
      why_not $failure
      # What a full disk or too long an answer left behind helps nobody.
      if [ $failure = 23 ] || [ "$(size_of "$part")" -gt "$size" ]; then rm -f "$part"; fi
      return 1
    fi
  fi
  if ! intact "$part"; then
    reason="$shown_url: expected $size bytes with SHA-256 $sha256, got $(size_of "$part") with $(digest_of "$part")"
    head -c 200 "$part" | tr '[:upper:]' '[:lower:]' | grep -q '<html\\|<!doctype' &&
      reason="$reason (a web page; is there a login page between this node and the server?)"
    rm -f "$part"
    return 1
  fi
  chmod 0644 "$part" && settle "$part" && mv -f "$part" "$file"
}

# The founding layout keeps the file in the store itself; the same bytes are moved, not fetched again.
adopt() {
  found="$store/$name.sysext.raw"
  if [ -L "$found" ] || ! intact "$found"; then return 1; fi
  say "$found is the wanted file: moving it to $folder"
  mv -f "$found" "$file"
}

obtain() {
  mkdir -p "$folder" || { reason="cannot create $folder"; return 1; }
  for stale in "$store"/sextant/*/.part; do
    [ "$stale" = "$folder/.part" ] || rm -f "$stale"
  done
  if [ -e "$file" ]; then
    intact "$file" && return 0
    say "$file is damaged: fetching it again"
    # It made the merge fail for the others as well.
    merged || [ -z "$(others)" ] || take_back
  fi
  adopt || download || return 1
  settle "$folder"
}

enable_file() {
  reason="cannot write to $store"
  mkdir -p "$store/active" || return 1
  printf '%s' "$root_hash" >"$folder/.roothash" || return 1
  mv -f "$folder/.roothash" "$folder/$name.sysext.roothash" || return 1
  # For sextant-node, which finds later releases by it. For root alone: an address may hold a password.
  rm -f "$folder/.url"
  (umask 077 && printf '%s\\n' "\${place:-$url}" >"$folder/.url") || return 1
  mv -f "$folder/.url" "$folder/$name.sysext.url" || return 1
  target="../sextant/$sha256/$name.sysext.raw"
  [ "$(readlink "$link")" = "$target" ] && return 0
  switch_link "$target" "$link" || return 1
  settle "$store/active"
  say "$name (SHA-256 $sha256) is enabled"
}
`;
