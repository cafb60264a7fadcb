# shellcheck shell=bash
# What the scripts beside this one share. They are sourced by nothing else, run under any CI, and say what they do on stderr.
set -euo pipefail
actions=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v sextant >/dev/null || PATH=$actions/../build/bin:$PATH
RECIPE=${RECIPE:-sextant.yaml}

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

say() {
  printf '%s\n' "$*" >&2
}

# A folder for this run that is gone afterwards.
scratch=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/sextant-ci.XXXXXX")
clean() {
  if [ -n "${key_written:-}" ]; then rm -f "$key_written"; fi
  rm -rf "$scratch"
}
trap clean EXIT

# What `sextant release --json` reported: COMMAND of facts.mjs, then its files.
facts() {
  node "$actions/facts.mjs" "$@"
}

# Puts the signing key where the recipe looks for it, for as long as this run takes. It comes by the environment and goes into a file
# that only this user can read; no command line ever has it.
write_key() {
  [ -n "${SIGNING_KEY:-}" ] || return 0
  [ -n "${SIGNING_KEY_FILE:-}" ] || fail "SIGNING_KEY is set, SIGNING_KEY_FILE is not: where does the recipe look for the key?"
  [ ! -e "$SIGNING_KEY_FILE" ] || fail "$SIGNING_KEY_FILE exists already: a key in the checkout is no secret"
  key_written=$SIGNING_KEY_FILE
  (umask 077 && printf '%s\n' "$SIGNING_KEY" >"$SIGNING_KEY_FILE")
  unset SIGNING_KEY
}

# Gives `sextant publish` the login that CI has for the registry, in a file that only this user can read, for as long as this run takes; the
# machine's own logins stay beside it.
registry_login() {
  [ -n "${REGISTRY_PASSWORD:-}" ] || return 0
  case ${PUBLISH:-} in oci://*) ;; *) return 0 ;; esac
  : "${REGISTRY_USER:?REGISTRY_PASSWORD is set: whose is it}"
  local own=${DOCKER_CONFIG:-${HOME:-/nonexistent}/.docker}
  mkdir -m 700 "$scratch/docker"
  (umask 077 && facts login "$PUBLISH" "$own/config.json" >"$scratch/docker/config.json")
  export DOCKER_CONFIG=$scratch/docker
  unset REGISTRY_PASSWORD
}

# Commits as the pipeline, whoever's machine it is.
commit() {
  git -c user.name="${GIT_NAME:-sextant}" -c user.email="${GIT_EMAIL:-sextant@users.noreply.invalid}" \
    -c commit.gpgsign=false commit --quiet "$@"
}
