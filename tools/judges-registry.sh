#!/bin/sh
# Brings what judges publishing in the tests into CACHE/judges: Debian's docker-registry (run on loopback by the tests, never installed), a second
# registry that has the referrers API, and the clients oras and crane, built from Go modules. Nothing is done when what they are made from has not changed. Needs mmdebstrap, Go and its
# module proxy.
#
#   DEBIAN_MIRROR=URL   takes the package from another Debian archive
set -eu

oras=oras.land/oras@v1.2.3
crane=github.com/google/go-containerregistry@v0.22.1
front=$(cd "$(dirname "$0")/../test/release/judges/registry" && pwd)
cache=${SEXTANT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sextant}
folder=$cache/judges/registry
bin=$cache/judges/go/bin
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

command -v go >/dev/null || {
  echo "judges-registry: Go is missing; install Go 1.26 (https://go.dev/dl) or run: apt-get install -y golang-go" >&2
  exit 5
}
export CGO_ENABLED=0 GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" GOFLAGS=-buildvcs=false

mkdir -p "$bin"
work=$(mktemp -d "$cache/judges/.registry.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

is_built() {
  [ -x "$bin/$1" ] && [ "$(cat "$bin/$1.key" 2>/dev/null)" = "$2" ]
}
# build NAME KEY FOLDER PACKAGE: a program of the module in FOLDER becomes bin/NAME.
build() {
  echo "judges-registry: building $1"
  (cd "$3" && go build -mod=readonly -trimpath -ldflags '-s -w' -o "$work/$1" "$4")
  mv -f "$work/$1" "$bin/$1"
  echo "$2" >"$bin/$1.key"
}
# client NAME MODULE PACKAGE: the same from the module proxy.
client() {
  key="$go $2"
  if is_built "$1" "$key"; then return; fi
  source=$(cd "$work" && go mod download -json "$2" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  [ -n "$source" ] || { echo "judges-registry: the module proxy does not give $2" >&2; exit 5; }
  build "$1" "$key" "$source" "$3"
}
go=$(go version)
sources="$go $(cd "$front" && cat go.mod go.sum main.go | sha256sum | cut -d ' ' -f 1)"
is_built registry-judge "$sources" || build registry-judge "$sources" "$front" .
client oras "$oras" ./cmd/oras
client crane "$crane" ./cmd/crane

key=$(sha256sum "$0" | cut -d' ' -f1)
if [ "$(cat "$folder/.key" 2>/dev/null)" = "$key" ]; then
  echo "judges-registry: $folder is up to date"
  exit 0
fi
command -v mmdebstrap >/dev/null || { echo "judges-registry: mmdebstrap is missing: apt-get install mmdebstrap" >&2; exit 5; }
[ -r "$keyring" ] || { echo "judges-registry: $keyring is missing: apt-get install debian-archive-keyring" >&2; exit 5; }
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
echo "judges-registry: fetching Debian's docker-registry from $mirror"
# Only unpacked: none of the packages' scripts runs, and no service is set up. Its C library comes with it.
$as_root env SOURCE_DATE_EPOCH=0 mmdebstrap --quiet --variant=extract --format=tar --keyring="$keyring" --include=docker-registry \
  --aptopt='APT::Install-Recommends "false"' bookworm "$work/root.tar" "deb [signed-by=$keyring] $mirror bookworm main"
mkdir "$work/root"
tar -C "$work/root" -xf "$work/root.tar" --no-same-owner --wildcards './usr/bin/docker-registry' './lib*' './usr/lib/*/libc.so*' \
  './usr/lib/*/ld-linux*' --exclude='./lib/systemd*' --exclude='./lib/udev*' 2>/dev/null || true
[ -x "$work/root/usr/bin/docker-registry" ] || { echo "judges-registry: the package holds no /usr/bin/docker-registry" >&2; exit 5; }
echo "$key" >"$work/root/.key"
rm -rf "$folder"
mv "$work/root" "$folder"
echo "judges-registry: $folder is ready ($(du -sm "$folder" | cut -f1) MB)"
