#!/bin/sh
# Builds the programs that judge activation files and catalogs in the tests: kairos-agent, and small fronts of ours of yip and of the semver
# library that Kairos resolves versions with. They end up in
# CACHE/judges/go/bin; nothing is done when what they are made from has not changed. Needs Go and its module proxy.
set -eu

agent=github.com/kairos-io/kairos-agent/v2@v2.31.4
front=$(cd "$(dirname "$0")/../test/activation/judges/yip" && pwd)
semver=$(cd "$(dirname "$0")/../test/release/catalog/judges/semver" && pwd)
cache=${SEXTANT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sextant}
bin=$cache/judges/go/bin

command -v go >/dev/null || {
  echo "judges-go: Go is missing; install Go 1.26 (https://go.dev/dl) or run: apt-get install -y golang-go" >&2
  exit 1
}
export CGO_ENABLED=0 GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" GOFLAGS=-buildvcs=false

mkdir -p "$bin"
work=$(mktemp -d "$bin/.build.XXXXXX")
trap 'rm -rf "$work"' EXIT

# build NAME KEY FOLDER: the module in FOLDER becomes bin/NAME, unless KEY is what it was made from.
build() {
  if [ -x "$bin/$1" ] && [ "$(cat "$bin/$1.key" 2>/dev/null)" = "$2" ]; then
    return
  fi
  echo "judges-go: building $1"
  (cd "$3" && go build -mod=readonly -trimpath -ldflags '-s -w' -o "$work/$1" .)
  mv -f "$work/$1" "$bin/$1"
  echo "$2" >"$bin/$1.key"
}

go=$(cd "$front" && go version)
sources=$(cd "$front" && cat go.mod go.sum main.go | sha256sum | cut -d ' ' -f 1)
build yip-judge "$go $sources" "$front"
build semver-judge "$go $(cd "$semver" && cat go.mod go.sum main.go | sha256sum | cut -d ' ' -f 1)" "$semver"

if [ ! -x "$bin/kairos-agent" ] || [ "$(cat "$bin/kairos-agent.key" 2>/dev/null)" != "$go $agent" ]; then
  folder=$(cd "$work" && go mod download -json "$agent" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  [ -n "$folder" ] || { echo "judges-go: the module proxy does not give $agent" >&2; exit 1; }
  build kairos-agent "$go $agent" "$folder"
fi
