#!/usr/bin/env bash
# prerequisites.sh build [test] [lab]: what the build (the tests, the lab) need of this machine. On Debian and its kin, as root, what is missing is
# installed; elsewhere it is named with the command to run.
set -euo pipefail

die() {
  echo "error: $1" >&2
  echo "hint: $2" >&2
  exit 5
}

# Programs, and the Debian package that has each.
declare -A package=(
  [xz]=xz-utils [zstd]=zstd [unshare]=util-linux [mount]=mount [tar]=tar [ip]=iproute2
  [mmdebstrap]=mmdebstrap [openssl]=openssl [curl]=curl [shellcheck]=shellcheck [dpkg-deb]=dpkg [setpriv]=util-linux
  [qemu-aarch64-static]=qemu-user-static [busybox]=busybox-static [perl]=perl-base [flock]=util-linux [newuidmap]=uidmap [pip3]=python3-pip
  [qemu-system-x86_64]=qemu-system-x86 [qemu-img]=qemu-utils [mksquashfs]=squashfs-tools [xorriso]=xorriso [debugfs]=e2fsprogs [qemu-storage-daemon]=qemu-system-common
  [chromium]=chromium
)
build=(xz zstd unshare mount tar ip)
lab=(mmdebstrap qemu-system-x86_64 qemu-img mksquashfs xorriso debugfs qemu-aarch64-static)
test=(mmdebstrap openssl curl shellcheck dpkg-deb setpriv qemu-aarch64-static busybox newuidmap pip3 perl flock chromium qemu-storage-daemon debugfs)

needed=()
for group in "$@"; do
  declare -n programs=$group
  needed+=("${programs[@]}")
done

packages=()
for program in "${needed[@]}"; do
  command -v "$program" >/dev/null || packages+=("${package[$program]}")
done

if [ ${#packages[@]} -gt 0 ]; then
  if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    echo "installing: ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  elif command -v apt-get >/dev/null; then
    die "missing: ${packages[*]}" "run: sudo apt-get install -y ${packages[*]}"
  else
    die "missing the Debian packages ${packages[*]}, or what holds the same programs here" "install them with this system's package manager"
  fi
fi

command -v node >/dev/null || die "node: program not found" "install Node.js 20.19 or newer: https://nodejs.org/"
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
  die "node $(node --version) is too old" "install Node.js 20.19 or newer: https://nodejs.org/"
command -v npm >/dev/null || die "npm: program not found" "install it with Node.js: https://nodejs.org/"
command -v go >/dev/null || die "go: program not found" "install Go 1.21 or newer: https://go.dev/dl/ (it fetches the exact toolchain that a lock names)"
