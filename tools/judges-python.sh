#!/bin/sh
# Installs judges that are Python programs into CACHE/judges: spdx-tools for bills of materials, check-jsonschema for what forges' CI reads. Every
# file is held against the hashes in their requirements.txt; nothing is done when neither they nor Python have changed.
set -eu

tests=$(cd "$(dirname "$0")/../test" && pwd)
cache=${SEXTANT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sextant}

python3 -m pip --version >/dev/null 2>&1 || {
  echo "judges-python: pip is missing; install Python 3.11 or newer with pip: apt-get install -y python3-pip" >&2
  exit 5
}
mkdir -p "$cache/judges"
temporary=$cache/judges/.python.$$.tmp
trap 'rm -rf "$temporary"' EXIT
trap 'exit 130' INT TERM

# judge NAME REQUIREMENTS
judge() {
  folder=$cache/judges/$1
  key="$(python3 --version) $(cat "$2" "$0" | sha256sum | cut -d ' ' -f 1)"
  if [ "$(cat "$folder/.key" 2>/dev/null)" = "$key" ]; then
    echo "judges-python: $folder is up to date"
    return
  fi
  echo "judges-python: installing $1"
  python3 -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore --no-deps --require-hashes \
    --target "$temporary" --requirement "$2"
  echo "$key" >"$temporary/.key"
  rm -rf "$folder"
  mv "$temporary" "$folder"
}

judge spdx-tools "$tests/release/judges/spdx/requirements.txt"
judge check-jsonschema "$tests/ci/judges/check-jsonschema/requirements.txt"
