# What a newcomer does, one command each. `make help` lists them.
SHELL := /bin/bash
NODE ?= node
CUTS ?= 20
export SEXTANT_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sextant

.DEFAULT_GOAL := help
.PHONY: help quickstart test lab check tools bench build format clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s '	'

quickstart: ## build the Kubernetes extension and its activation file into dist/
	@tools/prerequisites.sh build
	@$(MAKE) --no-print-directory build
	@$(NODE) build/sextant.js quickstart

test: ## everything needed, then all tests
	@tools/prerequisites.sh build test lab
	@$(MAKE) --no-print-directory build tools
	@npx vitest run

lab: ## every scenario on real core nodes in QEMU (SCENARIOS="name ..." for some, CUTS=20 power cuts)
	@tools/prerequisites.sh build lab
	@$(MAKE) --no-print-directory build
	@$(NODE) build/sextant.js build --recipe recipes/lab.yaml --output test-results/lab-release
	@$(NODE) build/sextant.js lab test --release test-results/lab-release --cuts $(CUTS) $(SCENARIOS)
	@test -n "$(SCENARIOS)" || SEXTANT_LAB_UP=1 npx vitest run --project guests test/lab/up.guest.test.ts

check: node_modules/.ready ## format, lint, types, unused code, unit tests: under a minute
	@npx biome check .
	@npx tsc
	@npx tsc -p src/node
	@npx tsc -p src/release/site/page
	@npx knip
	@npx vitest run --project unit

tools: ## the field's own tools that judge formats in the tests
	@tools/judges.sh
	@tools/judges-go.sh
	@tools/judges-registry.sh
	@tools/judges-trust.sh
	@tools/judges-python.sh
	@tools/judges-ci.sh

bench: build ## every figure in docs/benchmarks.md, measured anew
	@tools/prerequisites.sh build test
	@$(MAKE) --no-print-directory tools
	@bench/all.sh

build: node_modules/.ready ## bundle the program into build/
	@npm run --silent build

format: node_modules/.ready ## format and mend what can be mended
	@npx biome check --write .

clean: ## remove what was built here (the cache stays: see `sextant cache`)
	rm -rf build dist test-results

node_modules/.ready: package.json package-lock.json
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@
