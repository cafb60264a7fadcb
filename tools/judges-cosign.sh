#!/bin/sh
# Builds the program that judges our signatures in the tests: a small front of ours (test/release/judges/cosign) on cosign's own verification, in
# cosign's own module, so that the versions of all it needs are cosign's. It ends up in CACHE/judges/go/bin; nothing is done when what it is
# made from has not changed. Needs Go and its module proxy; about three minutes of one processor, where cosign itself takes seven.
set -eu

cosign=github.com/sigstore/cosign/v2@v2.5.3
front=$(cd "$(dirname "$0")/../test/release/judges/cosign" && pwd)
cache=${SEXTANT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sextant}
bin=$cache/judges/go/bin

command -v go >/dev/null || {
  echo "judges-cosign: Go is missing; install Go 1.26 (https://go.dev/dl) or run: apt-get install -y golang-go" >&2
  exit 1
}
export CGO_ENABLED=0 GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" GOFLAGS=-buildvcs=false

key="$(go version) $cosign $(cat "$front/main.go" "$0" | sha256sum | cut -d ' ' -f 1)"
if [ -x "$bin/cosign-judge" ] && [ "$(cat "$bin/cosign-judge.key" 2>/dev/null)" = "$key" ]; then
  exit 0
fi
mkdir -p "$bin"
work=$(mktemp -d "$bin/.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "judges-cosign: building cosign-judge"
folder=$(cd "$work" && go mod download -json "$cosign" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
[ -n "$folder" ] || { echo "judges-cosign: the module proxy does not give $cosign" >&2; exit 1; }
# The front is a package of that module, in a copy of it: the module cache is not written to.
cp -r "$folder" "$work/module"
chmod -R u+w "$work/module"
mkdir "$work/module/cmd/sextant-judge"
cp "$front/main.go" "$work/module/cmd/sextant-judge/"
(cd "$work/module" && go build -mod=readonly -trimpath -ldflags '-s -w' -o "$work/cosign-judge" ./cmd/sextant-judge)
mv -f "$work/cosign-judge" "$bin/cosign-judge"
echo "$key" >"$bin/cosign-judge.key"
