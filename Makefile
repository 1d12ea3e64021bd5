# The targets that people and CI use. `make` lists them.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PADDOCK  := $(CURDIR)/bin/paddock
VERSION  := $(shell git describe --tags --dirty 2>/dev/null || echo devel)
BUILT    := $(shell git log -1 --format=%ct 2>/dev/null)
TOOLS    := bin/tools
TAGS     := apps,bench,chaos,doors,interop,invariants,museum,tour
GO_FILES  = $(shell git ls-files -co --exclude-standard '*.go' | grep -v -e ^gen/ -e /testdata/)

# What the longer suites run. Each is told where the binary is by PADDOCK_BIN.
RUNS     ?= 500
FUZZTIME ?= 10s
PKG      ?= ./...
APPS     := go test -tags apps -p 1 -count=1 -timeout 120m ./test/apps/...
BENCH    := go test -tags bench -count=1 -timeout 60m -v ./test/bench/...
CHAOS    := go test -tags chaos -count=1 -timeout 180m ./test/chaos/...
ORACLE   := go test -tags interop -count=1 -timeout 60m ./test/oracle/... -args -seeds=200
INTEROP  := go test -count=1 -timeout 30m ./...
DEPLOY   := go test -count=1 -timeout 10m ./...
DOORS    := go test -tags doors -p 1 -count=1 -timeout 30m ./test/doors/...
ENSEMBLE := go test -count=1 -timeout 60m ./internal/sim -run TestEnsembleSimulation -args $(if $(SEED),-seed=$(SEED)) -runs=$(RUNS)
SIM      := go test -count=1 -timeout 60m ./internal/sim -run TestSimulation -args $(if $(SEED),-seed=$(SEED)) -runs=$(RUNS)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  Variables: SEED= RUNS=$(RUNS) (sim), FUZZTIME=$(FUZZTIME) PKG=$(PKG) (fuzz)'

.PHONY: build
build: ## build bin/paddock, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X main.commitTime=$(BUILT)' -o $(PADDOCK) ./cmd/paddock

.PHONY: test
test: ## run the tests of this module, short, with the race detector
	go test -race -short -tags invariants ./...

.PHONY: test-all
test-all: ## run everything that CI runs: lint, tests, short runs of each longer suite
	@.ci/suites

.PHONY: sim
sim: ## simulate servers, disks and clients from seeds (SEED=, RUNS=)
	$(SIM)

.PHONY: sim-ensemble
sim-ensemble: ## simulate whole ensembles from seeds (SEED=, RUNS=)
	$(ENSEMBLE)

.PHONY: museum
museum: ## plant known mistakes in simulated ensembles, and find each
	go test -count=1 -timeout 60m -tags museum ./internal/sim -run TestMuseum

.PHONY: fuzz
fuzz: ## fuzz every decoder for FUZZTIME (FUZZTIME=, PKG=)
	@for pkg in $$(go list $(PKG)); do \
	  for name in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$name"; \
	    go test $$pkg -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME); \
	  done; \
	done

.PHONY: chaos
chaos: build ## kill and starve real processes, then check what they promised
	PADDOCK_BIN=$(PADDOCK) $(CHAOS)

.PHONY: interop
interop: build ## run unmodified clients against Paddock and ZooKeeper, and compare the two byte by byte
	@test -x test/interop/install.sh || { echo 'test/interop/install.sh is missing: it installs what the suites need'; exit 1; }
	cd test/interop && PADDOCK_BIN=$(PADDOCK) $(INTEROP)
	go test -tags interop -count=1 -timeout 10m ./consensus/transport
	PADDOCK_BIN=$(PADDOCK) $(ORACLE)

.PHONY: doors
doors: build $(TOOLS)/.built ## ask the same through each door, with clients of others, and with hostile ones
	@test/doors/install.sh
	PADDOCK_BIN=$(PADDOCK) $(DOORS)

.PHONY: apps
apps: build ## run whole applications on Paddock and ZooKeeper; not in CI (test/apps/README.md)
	@for install in test/apps/*/install.sh; do "$$install"; done
	PADDOCK_BIN=$(PADDOCK) $(APPS)

.PHONY: deploy
deploy: build ## check what deploy/ holds, with the tools of those who will read it
	cd test/deploy && PADDOCK_BIN=$(PADDOCK) $(DEPLOY)

.PHONY: bench
bench: build ## measure Paddock and ZooKeeper in turn
	PADDOCK_BIN=$(PADDOCK) $(BENCH)

.PHONY: tour
tour: build ## run the commands of README.md and docs/api.md and compare what they print
	PADDOCK_BIN=$(PADDOCK) go test -tags tour -count=1 ./test/tour

.PHONY: fmt
fmt: ## format the Go and proto files
	@gofmt -w $(GO_FILES)
	@if [ -x $(TOOLS)/buf ]; then $(TOOLS)/buf format -w --path proto/paddock; fi

.PHONY: lint
lint: $(TOOLS)/.built ## check format, vet, staticcheck, the house rules and the contract
	@unformatted=$$(gofmt -l $(GO_FILES)); \
	  if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:" $$unformatted; exit 1; fi
	go vet -tags $(TAGS) ./...
	$(TOOLS)/staticcheck -tags $(TAGS) ./...
	cd test/interop && go vet ./... && ../../$(TOOLS)/staticcheck ./...
	cd test/deploy && go vet ./... && ../../$(TOOLS)/staticcheck ./...
	go test ./internal/archtest
	$(TOOLS)/buf lint
	$(TOOLS)/buf format -d --exit-code --path proto/paddock
	@if git cat-file -e HEAD~1:buf.yaml 2>/dev/null; then \
	  echo $(TOOLS)/buf breaking --against '.git#ref=HEAD~1'; $(TOOLS)/buf breaking --against '.git#ref=HEAD~1'; \
	fi

.PHONY: gen
gen: $(TOOLS)/.built ## generate gen/ from proto/
	$(TOOLS)/buf generate
	tools/embed.sh > gen/openapi/openapi.go

.PHONY: verify-gen
verify-gen: $(TOOLS)/.built ## generate again and expect no difference
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	  $(TOOLS)/buf generate -o "$$fresh"; \
	  tools/embed.sh > "$$fresh/gen/openapi/openapi.go"; \
	  diff -r gen "$$fresh/gen" || { echo 'gen/ is stale, run make gen'; exit 1; }

.PHONY: console
console: ## build gateway/console/dist from its sources; needs npm
	cd gateway/console && npm ci --no-audit --no-fund && npm run check && npm run build

.PHONY: verify-console
verify-console: ## build it again and expect no difference
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	  (cd gateway/console && npm ci --no-audit --no-fund >/dev/null && npm run check && node build.mjs "$$fresh/dist") && \
	  diff -r gateway/console/dist "$$fresh/dist" || { echo 'gateway/console/dist is stale, run make console'; exit 1; }

.PHONY: check
check: lint verify-gen test $(if $(wildcard internal/sim),sim) ## what must pass before a commit

$(TOOLS)/.built: tools/go.mod tools/go.sum
	cd tools && go build -o ../$(TOOLS)/ tool
	@touch $@
