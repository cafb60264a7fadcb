#!/usr/bin/env bash
# Checks out the commit that started a run on GitHub into the working folder, on its branch, without anyone's action. The login stays in the
# checkout's own configuration for later pushes, as a header and in no address.
#
#   TOKEN   GitHub's token; the rest are variables that every run has
set -euo pipefail
: "${GITHUB_SERVER_URL:?}" "${GITHUB_REPOSITORY:?}" "${GITHUB_SHA:?}" "${GITHUB_REF_NAME:?}"
git init --quiet .
git remote add origin "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY"
if [ -n "${TOKEN:-}" ]; then
  git config "http.$GITHUB_SERVER_URL/.extraheader" \
    "authorization: basic $(printf 'x-access-token:%s' "$TOKEN" | base64 --wrap 0)"
fi
git fetch --quiet --depth 1 origin "$GITHUB_SHA"
git checkout --quiet -B "$GITHUB_REF_NAME" FETCH_HEAD
