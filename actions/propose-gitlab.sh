#!/usr/bin/env bash
# Opens a merge request of BRANCH, or renews the one that is open: TITLE, BODY_FILE. Needs curl, node, GITLAB_TOKEN (scope api) and the
# variables of GitLab's CI: CI_API_V4_URL, CI_PROJECT_ID, CI_DEFAULT_BRANCH.
set -euo pipefail
api=$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests
# The token goes by a file descriptor: a command line is seen by every process.
ask() {
  curl --fail-with-body --silent --show-error --config <(printf 'header = "PRIVATE-TOKEN: %s"\n' "$GITLAB_TOKEN") "$@"
}
request=$(node -e '
  const { TITLE, BODY_FILE, BRANCH, CI_DEFAULT_BRANCH } = process.env;
  process.stdout.write(JSON.stringify({
    title: TITLE,
    description: require("node:fs").readFileSync(BODY_FILE, "utf8"),
    source_branch: BRANCH,
    target_branch: CI_DEFAULT_BRANCH,
    remove_source_branch: true,
  }));
')
branch=$(node -p 'encodeURIComponent(process.env.BRANCH)')
open=$(ask "$api?state=opened&source_branch=$branch" |
  node -e 'let t = ""; process.stdin.on("data", (d) => { t += d; }).on("end", () => console.log(JSON.parse(t)[0]?.iid ?? ""));')
if [ -n "$open" ]; then
  ask --request PUT --header 'content-type: application/json' --data-binary @- "$api/$open" <<<"$request" >/dev/null
else
  ask --request POST --header 'content-type: application/json' --data-binary @- "$api" <<<"$request" >/dev/null
fi
