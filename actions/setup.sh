#!/usr/bin/env bash
# Makes the `sextant` command of this checkout ready on a CI machine: its libraries by the lock, the bundle, a launcher in build/bin. On
# GitHub the launcher's folder joins the PATH of the steps that follow.
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The provider's hook runs in namespaces of its own. Ubuntu's AppArmor denies them to ordinary users; CI users may change that.
if [ "$(id -u)" -ne 0 ] && ! unshare --user --map-root-user --mount true 2>/dev/null; then
  sudo -n sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0 || true
fi

if [ ! -f "$home/build/sextant.js" ]; then
  make --no-print-directory -C "$home" build
fi
mkdir -p "$home/build/bin"
printf '#!/bin/sh\nexec node "%s/build/sextant.js" "$@"\n' "$home" >"$home/build/bin/sextant"
chmod 755 "$home/build/bin/sextant"
if [ -n "${GITHUB_PATH:-}" ]; then
  printf '%s\n' "$home/build/bin" >>"$GITHUB_PATH"
fi
# What is missing is said here; what really needs it fails later with its own words.
"$home/build/bin/sextant" doctor || echo "sextant doctor found something missing, see above" >&2
