#!/usr/bin/env bash
# Builds the recipe's releases from files that this very run has made, and attaches them to a GitHub release: the extensions, and the
# activation file that fetches them from there. Needs gh and GH_TOKEN with the right to write releases.
#
#   RECIPE              the recipe (default: sextant.yaml)
#   OUTPUT              folder of the releases (default: sextant-dist; goreleaser has dist)
#   TAG                 tag of the GitHub release; it exists already
#   GITHUB_REPOSITORY   OWNER/NAME; GITHUB_SERVER_URL where it is not github.com
#   COMPONENT_VERSIONS  NAME=VERSION ..., for components that are files of this run
#   SIGNING_KEY, SIGNING_KEY_FILE  as in release.sh
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
OUTPUT=${OUTPUT:-sextant-dist}
: "${TAG:?tag of the GitHub release}" "${GITHUB_REPOSITORY:?OWNER/NAME}"
write_key

report=$scratch/report.json
arguments=(--recipe "$RECIPE" --output "$OUTPUT" --no-published --json)
arguments+=(--url "${GITHUB_SERVER_URL:-https://github.com}/$GITHUB_REPOSITORY/releases/download/$TAG")
read -r -a versions <<<"${COMPONENT_VERSIONS:-}"
for version in "${versions[@]}"; do arguments+=(--component-version "$version"); done
sextant release "${arguments[@]}" >"$report"

# Names of an asset are one for the whole release on GitHub: with several releases those that all of them have get the release's id.
count=$(facts ids "$report" | wc -l)
upload=$scratch/upload
mkdir "$upload"
while IFS=$'\t' read -r id folder; do
  for file in "$folder"/*; do
    name=$(basename "$file")
    case $name in
    activation.yaml | release.json | SHA256SUMS* | provenance.*)
      if [ "$count" -gt 1 ]; then name=$id-$name; fi
      ;;
    esac
    [ ! -e "$upload/$name" ] || cmp -s "$file" "$upload/$name" || fail "two releases have a file $name"
    cp "$file" "$upload/$name"
  done
done < <(facts ids "$report")
# The extensions first: whoever sees the activation file finds what it fetches.
find "$upload" -name '*.raw' -print0 | sort -z | xargs -0 -r gh release upload "$TAG" --repo "$GITHUB_REPOSITORY" --clobber
find "$upload" -type f ! -name '*.raw' -print0 | sort -z | xargs -0 -r gh release upload "$TAG" --repo "$GITHUB_REPOSITORY" --clobber
say "attached to $TAG of $GITHUB_REPOSITORY: $(find "$upload" -type f | wc -l) files"
