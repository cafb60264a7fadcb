#!/bin/sh
# Installs what judges bills of materials in the tests: spdx-tools and cyclonedx-python-lib, into CACHE/judges. Every file is held against the
# hashes in test/release/judges/*/requirements.txt; nothing is done when neither they nor Python have changed.
set -eu

judges=$(cd "$(dirname "$0")/../test/release/judges" && pwd)
cache=${SEXTANT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sextant}

python3 -m pip --version >/dev/null 2>&1 || {
  echo "judges-python: pip is missing; install Python 3.11 or newer with pip: apt-get install -y python3-pip" >&2
  exit 5
}
mkdir -p "$cache/judges"
temporary=
trap 'rm -rf "$temporary"' EXIT
trap 'exit 130' INT TERM

# install NAME FOLDER: what FOLDER's requirements name goes into CACHE/judges/NAME.
install() {
  requirements=$judges/$2/requirements.txt
  folder=$cache/judges/$1
  key="$(python3 --version) $(cat "$requirements" "$0" | sha256sum | cut -d ' ' -f 1)"
  if [ "$(cat "$folder/.key" 2>/dev/null)" = "$key" ]; then
    echo "judges-python: $folder is up to date"
    return
  fi
  temporary=$folder.$$.tmp
  echo "judges-python: installing $1"
  python3 -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore --no-deps --require-hashes \
    --target "$temporary" --requirement "$requirements"
  echo "$key" >"$temporary/.key"
  rm -rf "$folder"
  mv "$temporary" "$folder"
}

install spdx-tools spdx
install cyclonedx cyclonedx
