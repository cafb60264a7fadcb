#!/usr/bin/env bash
# The branch that static pages are served from, where the hub page and its catalog are.
#   pages.sh fetch   what the branch holds now becomes the folder SITE; an empty one where there is no such branch yet
#   pages.sh push    what the folder holds replaces the branch, as one commit without history
#
#   SITE          the folder
#   PAGES_BRANCH  the branch (default: gh-pages)
#   REMOTE        default: the address of origin
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
branch=${PAGES_BRANCH:-gh-pages}
: "${SITE:?folder of the pages}"
remote=${REMOTE:-$(git remote get-url origin)}
work=$scratch/pages
git init --quiet --initial-branch "$branch" "$work"
# What CI keeps of its login is in the checkout's configuration, not in the address.
login=$(git config --get-regexp '^http\..*\.extraheader$' | head -n 1 || true)
if [ -n "$login" ]; then git -C "$work" config "${login%% *}" "${login#* }"; fi

case ${1:-} in
fetch)
  # No such branch is an answer; a remote that does not answer is an error, or the next push would lose the catalog.
  found=$(git -C "$work" ls-remote "$remote" "refs/heads/$branch")
  if [ -z "$found" ]; then
    mkdir -p "$SITE"
    say "there is no branch $branch yet: a new catalog begins"
    exit 0
  fi
  git -C "$work" fetch --quiet --depth 1 "$remote" "refs/heads/$branch"
  mkdir -p "$SITE"
  git -C "$work" archive FETCH_HEAD | tar -x -C "$SITE"
  ;;
push)
  [ -d "$SITE" ] || fail "SITE=$SITE: there is no such folder"
  cp -R "$SITE/." "$work/"
  touch "$work/.nojekyll"
  git -C "$work" add --all
  (cd "$work" && commit -m "Hub page")
  git -C "$work" push --quiet --force "$remote" "$branch"
  say "$branch holds the $(git -C "$work" ls-files | wc -l) files of $SITE"
  ;;
*) fail "pages.sh fetch or push" ;;
esac
