#!/usr/bin/env bash
# Builds what is not published yet, signed where the recipe signs, publishes each release, adds it to the catalog and renders the hub page.
#
#   RECIPE            the recipe (default: sextant.yaml)
#   OUTPUT            folder of the releases (default: dist)
#   PUBLISH           where each release goes: a target of `sextant publish`; nowhere when empty. {id} and {release} (DISTRIBUTION-VERSION)
#                     are filled in
#   PUBLISHED         where published releases are looked for (default: the registry of PUBLISH, else each release's own address)
#   REGISTRY_USER, REGISTRY_PASSWORD  login for the registry of PUBLISH; without them the machine's own is used
#   CATALOG           folder of the catalog, made when missing; none when empty
#   SITE              folder that the hub page is rendered into; none when empty
#   SIGNING_KEY       the private key itself, from the CI's secrets; SIGNING_KEY_FILE is where the recipe looks for it
#   CATALOG_KEY_FILE  key that signs the catalog (default: SIGNING_KEY_FILE); unsigned where there is neither
#   REPLACE           yes: another build of a version takes the place of the one that is published. Nodes that were told of that one and have
#                     not fetched it yet no longer can, so it is asked for
#   JOBS, MEMORY      as --jobs and --memory of `sextant release`
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
OUTPUT=${OUTPUT:-dist}
write_key
registry_login
case ${PUBLISH:-} in
*[{}]*) ;;
oci://*) PUBLISHED=${PUBLISHED:-$PUBLISH} ;;
esac

report=$scratch/report.json
code=0
arguments=(--recipe "$RECIPE" --output "$OUTPUT" --json)
if [ -n "${PUBLISHED:-}" ]; then arguments+=(--published "$PUBLISHED"); fi
if [ -n "${JOBS:-}" ]; then arguments+=(--jobs "$JOBS"); fi
if [ -n "${MEMORY:-}" ]; then arguments+=(--memory "$MEMORY"); fi
sextant release "${arguments[@]}" >"$report" || code=$?
# Some may have failed while others stand: those go out, and the run still ends as failed.
[ "$code" -eq 0 ] || [ "$code" -eq 8 ] || exit "$code"

signing=()
key=${CATALOG_KEY_FILE:-${SIGNING_KEY_FILE:-}}
if [ -n "$key" ]; then signing=(--key "$key"); fi
replacing=()
if [ "${REPLACE:-no}" = yes ]; then replacing=(--replace); fi

while IFS=$'\t' read -r id folder; do
  place=()
  if [ -n "${PUBLISH:-}" ]; then
    target=${PUBLISH//\{id\}/$id}
    target=${target//\{release\}/$(basename "$folder")}
    sextant publish "$target" "$folder" "${replacing[@]}" --json >"$scratch/published.json"
    case $target in
    # Nodes find it in the registry, and Kairos by the artifacts' digests.
    oci://*) place=(--address "$(facts registry "$scratch/published.json")" --published "$scratch/published.json") ;;
    esac
  fi
  if [ -n "${CATALOG:-}" ]; then
    sextant catalog add "$CATALOG" "$folder" "${place[@]}" "${signing[@]}" "${replacing[@]}"
  fi
done < <(facts ids "$report")

# What an earlier run published and then did not get into the catalog.
if [ -n "${CATALOG:-}" ]; then
  while IFS= read -r place; do
    sextant catalog add "$CATALOG" "$place" "${signing[@]}"
  done < <(facts unlisted "$report" "$CATALOG/sextant-catalog.json")
fi

if [ -n "${SITE:-}" ]; then
  [ -n "${CATALOG:-}" ] || fail "SITE needs CATALOG: the hub page is rendered from it"
  sextant site "$CATALOG" --output "$SITE"
fi
exit "$code"
