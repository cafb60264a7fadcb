#!/usr/bin/env bash
# Opens a pull request of BRANCH, or renews the text of the one that is open: TITLE, BODY_FILE. Needs gh and GH_TOKEN.
set -euo pipefail
number=$(gh pr list --head "$BRANCH" --state open --json number --jq '.[0].number // empty')
if [ -n "$number" ]; then
  gh pr edit "$number" --title "$TITLE" --body-file "$BODY_FILE"
else
  gh pr create --head "$BRANCH" --title "$TITLE" --body-file "$BODY_FILE"
fi
