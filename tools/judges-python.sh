#!/bin/sh
# Installs spdx-tools, which judges bills of materials in the tests, into CACHE/judges/spdx-tools. Every file is held against the hashes in
# test/release/judges/spdx/requirements.txt; nothing is done when neither they nor Python have changed.
set -eu

requirements=$(cd "$(dirname "$0")/../test/release/judges/spdx" && pwd)/requirements.txt
cache=${SEXTANT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sextant}
folder=$cache/judges/spdx-tools

python3 -m pip --version >/dev/null 2>&1 || {
  echo "judges-python: pip is missing; install Python 3.11 or newer with pip: apt-get install -y python3-pip" >&2
  exit 5
}
key="$(python3 --version) $(cat "$requirements" "$0" | sha256sum | cut -d ' ' -f 1)"
if [ "$(cat "$folder/.key" 2>/dev/null)" = "$key" ]; then
  echo "judges-python: $folder is up to date"
  exit 0
fi

mkdir -p "$cache/judges"
temporary=$folder.$$.tmp
trap 'rm -rf "$temporary"' EXIT
trap 'exit 130' INT TERM
echo "judges-python: installing spdx-tools"
python3 -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore --no-deps --require-hashes \
  --target "$temporary" --requirement "$requirements"
echo "$key" >"$temporary/.key"
rm -rf "$folder"
mv "$temporary" "$folder"
