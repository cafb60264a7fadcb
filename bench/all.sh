#!/usr/bin/env bash
# Every figure of docs/benchmarks.md. Run it on an otherwise idle machine; it takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
node bench/run.mjs bench/startup.ts
node bench/run.mjs bench/quickstart.ts
node bench/run.mjs bench/node-program.ts
node bench/run.mjs bench/image.ts
