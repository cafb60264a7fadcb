#!/bin/sh
# Gets what judges the documents that CI reads, into CACHE/judges: actionlint from its Go module, by its own go.sum, and check-jsonschema with the
# forges' schemas in it, every file held against the hashes in test/ci/judges/check-jsonschema/requirements.txt. Nothing is done when
# nothing has changed.
set -eu

actionlint=github.com/rhysd/actionlint@v1.7.12
requirements=$(cd "$(dirname "$0")/../test/ci/judges/check-jsonschema" && pwd)/requirements.txt
cache=${SEXTANT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sextant}
bin=$cache/judges/go/bin
folder=$cache/judges/check-jsonschema

command -v go >/dev/null || {
  echo "judges-ci: Go is missing; install Go 1.26 (https://go.dev/dl) or run: apt-get install -y golang-go" >&2
  exit 1
}
python3 -m pip --version >/dev/null 2>&1 || {
  echo "judges-ci: pip is missing; install Python 3.11 or newer with pip: apt-get install -y python3-pip" >&2
  exit 5
}
export CGO_ENABLED=0 GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" GOFLAGS=-buildvcs=false

mkdir -p "$bin"
work=$(mktemp -d "$cache/judges/.ci.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

key="$(cd "$work" && go version) $actionlint"
if [ ! -x "$bin/actionlint" ] || [ "$(cat "$bin/actionlint.key" 2>/dev/null)" != "$key" ]; then
  echo "judges-ci: building actionlint"
  module=$(cd "$work" && go mod download -json "$actionlint" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  [ -n "$module" ] || { echo "judges-ci: the module proxy does not give $actionlint" >&2; exit 1; }
  (cd "$module" && go build -mod=readonly -trimpath -ldflags '-s -w' -o "$work/actionlint" ./cmd/actionlint)
  mv -f "$work/actionlint" "$bin/actionlint"
  echo "$key" >"$bin/actionlint.key"
fi

key="$(python3 --version) $(cat "$requirements" "$0" | sha256sum | cut -d ' ' -f 1)"
if [ "$(cat "$folder/.key" 2>/dev/null)" != "$key" ]; then
  echo "judges-ci: installing check-jsonschema"
  python3 -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore --no-deps --require-hashes \
    --target "$work/check-jsonschema" --requirement "$requirements"
  echo "$key" >"$work/check-jsonschema/.key"
  rm -rf "$folder"
  mv "$work/check-jsonschema" "$folder"
fi
