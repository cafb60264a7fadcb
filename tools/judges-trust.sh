#!/bin/sh
# Builds the programs that judge signatures and bills of materials in the tests, into CACHE/judges/go/bin; nothing is done when what they are made
# from has not changed. Needs Go and its module proxy.
#   cosign-judge  a small front of ours (test/release/judges/cosign) on cosign's own verification, in cosign's own module, so that the versions of
#                 all it needs are cosign's: about three minutes of one processor, where cosign itself takes seven
#   sbom-judge    reads with the libraries that vulnerability scanners read with (test/release/judges/sbom)
set -eu

cosign=github.com/sigstore/cosign/v2@v2.5.3
judges=$(cd "$(dirname "$0")/../test/release/judges" && pwd)
cache=${SEXTANT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sextant}
bin=$cache/judges/go/bin

command -v go >/dev/null || {
  echo "judges-trust: Go is missing; install Go 1.26 (https://go.dev/dl) or run: apt-get install -y golang-go" >&2
  exit 1
}
export CGO_ENABLED=0 GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" GOFLAGS=-buildvcs=false

mkdir -p "$bin"
work=$(mktemp -d "$bin/.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# stale NAME KEY: whether bin/NAME was made from something else than KEY.
stale() {
  [ ! -x "$bin/$1" ] || [ "$(cat "$bin/$1.key" 2>/dev/null)" != "$2" ]
}

# build NAME KEY FOLDER PACKAGE: the package of the module in FOLDER becomes bin/NAME.
build() {
  echo "judges-trust: building $1"
  (cd "$3" && go build -mod=readonly -trimpath -ldflags '-s -w' -o "$work/$1" "$4")
  mv -f "$work/$1" "$bin/$1"
  echo "$2" >"$bin/$1.key"
}

digest() {
  cat "$@" "$0" | sha256sum | cut -d ' ' -f 1
}

sbom=$judges/sbom
key="$(cd "$sbom" && go version) $(digest "$sbom/go.mod" "$sbom/go.sum" "$sbom/main.go")"
if stale sbom-judge "$key"; then
  build sbom-judge "$key" "$sbom" .
fi

key="$(cd "$sbom" && go version) $cosign $(digest "$judges/cosign/main.go")"
if stale cosign-judge "$key"; then
  folder=$(cd "$work" && go mod download -json "$cosign" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  [ -n "$folder" ] || { echo "judges-trust: the module proxy does not give $cosign" >&2; exit 1; }
  # The front is a package of that module, in a copy of it: the module cache is not written to.
  cp -r "$folder" "$work/module"
  chmod -R u+w "$work/module"
  mkdir "$work/module/cmd/sextant-judge"
  cp "$judges/cosign/main.go" "$work/module/cmd/sextant-judge/"
  build cosign-judge "$key" "$work/module" ./cmd/sextant-judge
fi
