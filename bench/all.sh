#!/usr/bin/env bash
# Every figure of docs/benchmarks.md. Run it on an otherwise idle machine; it takes some minutes, and with emulated guests about an hour more.
set -euo pipefail
cd "$(dirname "$0")/.."
node bench/run.mjs bench/startup.ts
node bench/run.mjs bench/quickstart.ts
node bench/run.mjs bench/node-program.ts
node bench/run.mjs bench/boot-decision.ts
node bench/run.mjs bench/site.ts
node bench/run.mjs bench/image.ts
node build/sextant.js build --recipe recipes/lab.yaml --output test-results/lab-release
node bench/run.mjs bench/size.ts test-results/lab-release
node bench/run.mjs bench/publish.ts
# Guests: about an hour where they are emulated.
node bench/run.mjs bench/lab-boot.ts
node bench/run.mjs bench/lab-read.ts
node bench/run.mjs bench/merge.ts
