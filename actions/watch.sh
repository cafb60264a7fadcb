#!/usr/bin/env bash
# Looks for what is newer upstream than the locks. Where there is something, the locks take it on a branch of their own, and a pull
# request proposes it: its text says what is newer, and what that changes in the extensions, component by component and file by file.
#
#   RECIPE   the recipe (default: sextant.yaml)
#   BRANCH   branch of the proposal; it is this script's own and made anew each time (default: sextant/upstream)
#   PROPOSE  github (gh, GH_TOKEN), gitlab (curl, GITLAB_TOKEN and GitLab's CI variables) or none: only the commit is made
#   TOOLS    no: the Debian packages of the build tools are not asked for
#   BUILD    no: without building both states for `sextant diff`
#   REMOTE   where the branch goes (default: origin)
#   MEMORY   as --memory of `sextant release`
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
BRANCH=${BRANCH:-sextant/upstream}
PROPOSE=${PROPOSE:-none}
REMOTE=${REMOTE:-origin}

before=$(git rev-parse HEAD)
[ -z "$(git status --porcelain --untracked-files=no)" ] || fail "the checkout has changes that are not committed"

body=$scratch/body.md
code=0
arguments=(--recipe "$RECIPE" --write --markdown)
if [ "${TOOLS:-yes}" = no ]; then arguments+=(--no-tools); fi
sextant watch-upstream "${arguments[@]}" >"$body" || code=$?
case $code in
0)
  say "nothing is newer upstream"
  exit 0
  ;;
9) ;;
*) exit "$code" ;;
esac
title=$(sed -n '1s/^## //p' "$body")

# Both states are built: releases are reproducible, so the one before is what the branch stands for, published or not.
diffs() {
  local old=$scratch/before report=$scratch/report
  git worktree add --quiet --detach "$old" "$before"
  mkdir "$report"
  build() {
    local code=0
    # The key is not for a job that reads what upstream wrote; unsigned, both differ by nothing but what is new.
    sextant release --recipe "$1" --output "$2" --no-published --unsigned --memory "${MEMORY:-8G}" --json >"$3" || code=$?
    [ "$code" -eq 0 ] || [ "$code" -eq 8 ]
  }
  if ! build "$old/$RECIPE" "$scratch/old" "$report/old.json"; then
    printf '\nThe releases before cannot be built any more, so there is nothing to compare with.\n'
    echo '{"releases":[]}' >"$report/old.json"
  fi
  git worktree remove --force "$old"
  if ! build "$RECIPE" "$scratch/new" "$report/new.json"; then
    printf '\n**The new releases do not build.** The log of this run says why.\n'
    return
  fi
  local id architecture from to
  while IFS=$'\t' read -r id architecture from to; do
    # A fence longer than any in the text, and not more than a reader or a forge can take.
    printf '\n<details><summary><code>sextant diff</code>: %s, %s</summary>\n\n``````\n' "$id" "$architecture"
    sextant diff "$from" "$to" | head -n 200
    printf '``````\n\n</details>\n'
  done < <(facts pairs "$report/old.json" "$report/new.json")
}
if [ "${BUILD:-yes}" != no ]; then
  # Names in a diff are upstream's: a fence of theirs must not end ours.
  diffs | sed 's/^`\{7,\}/ &/' >>"$body"
fi
# GitHub takes 65536 characters, GitLab more.
if [ "$(wc -c <"$body")" -gt 60000 ]; then
  head -c 59000 "$body" >"$body.short"
  printf '\n``````\n\nShortened; the log of the run has the whole.\n' >>"$body.short"
  cat "$body" >&2
  mv "$body.short" "$body"
fi

git switch --quiet --force-create "$BRANCH"
git add -- ':(glob)**/*.lock.json'
commit -m "$title" -m "Locked by \`sextant watch-upstream --write\`."
if [ "$PROPOSE" = none ]; then
  cat "$body"
  exit 0
fi
git push --quiet --force "$REMOTE" "$BRANCH"
TITLE=$title BODY_FILE=$body BRANCH=$BRANCH "$actions/propose-$PROPOSE.sh"
