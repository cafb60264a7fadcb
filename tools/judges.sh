#!/bin/sh
# Makes the folder of the tools that judge our images: Debian trixie's systemd-dissect, systemd-repart, mkfs.erofs, veritysetup,
# sgdisk, openssl with its pkcs11 provider, SoftHSM, efitools, laid out as a root that the tests enter by chroot (test/image/tools.ts). Nothing is installed on this machine
# but mmdebstrap. The folder remembers the content of this script: a changed script makes it anew, an unchanged one does nothing.
#
#   tools/judges.sh            makes $SEXTANT_TOOLS, or <cache>/judges/trixie
#   DEBIAN_MIRROR=URL          takes the packages from another Debian archive
set -eu

cache=${SEXTANT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sextant}
folder=${SEXTANT_TOOLS:-$cache/judges/trixie}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
packages=dash,bash,coreutils,grep,sed,mawk,findutils,util-linux,erofs-utils,systemd,systemd-container,systemd-repart,cryptsetup-bin,gdisk,openssl,pkcs11-provider,softhsm2,efitools
key=$(sha256sum "$0" | cut -d' ' -f1)

if [ "$(cat "$folder/.judges-key" 2>/dev/null)" = "$key" ]; then
  echo "judges: $folder is up to date"
  exit 0
fi

as_root=
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "judges: run as root, or install sudo: apt-get install sudo" >&2; exit 5; }
  as_root=sudo
fi
if ! command -v mmdebstrap >/dev/null; then
  echo "judges: installing mmdebstrap"
  $as_root apt-get -o DPkg::Lock::Timeout=300 update -q
  $as_root apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends mmdebstrap
fi
[ -r "$keyring" ] || { echo "judges: $keyring is missing: apt-get install debian-archive-keyring" >&2; exit 5; }

mkdir -p "$(dirname "$folder")"
temporary=$folder.$$.tmp
trap '$as_root rm -rf "$temporary"' EXIT
trap 'exit 130' INT TERM

echo "judges: fetching Debian trixie's $packages from $mirror"
# Maintainer scripts are not needed to run the tools: `extract` unpacks the packages and runs none of them.
$as_root env SOURCE_DATE_EPOCH=0 mmdebstrap --quiet --variant=extract --format=directory \
  --keyring="$keyring" --include="$packages" \
  --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/{doc,man,locale}/*' \
  trixie "$temporary" "deb [signed-by=$keyring] $mirror trixie main"

# The merged /usr and the users that a first start would make.
$as_root mkdir -p "$temporary/proc" "$temporary/dev" "$temporary/run" "$temporary/mnt" "$temporary/etc/verity.d"
[ -s "$temporary/etc/passwd" ] || echo 'root:x:0:0:root:/root:/bin/sh' | $as_root tee "$temporary/etc/passwd" >/dev/null
[ -s "$temporary/etc/group" ] || printf 'root:x:0:\ndisk:x:6:\n' | $as_root tee "$temporary/etc/group" >/dev/null
echo "$key" | $as_root tee "$temporary/.judges-key" >/dev/null
$as_root rm -rf "$folder"
$as_root mv "$temporary" "$folder"
echo "judges: $folder is ready ($(du -sm "$folder" | cut -f1) MB)"
