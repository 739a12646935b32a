# What a developer and the CI run; `make help` lists it.
# Needs cargo (with rustfmt and clippy), a C compiler, perl, Python 3.11 or newer, and the two package registries.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two cargo processes would only wait for each other's lock.
.NOTPARALLEL:

PYTHON ?= python3
VENV := .venv
REQUIREMENTS := tests/system/requirements.txt
# Made last, so that an environment that was only half installed is made anew.
STAMP := $(VENV)/.installed
FUNCTIONS := dingtalk opencard github payment
# For pytest: `make system ARGS="-k fifo -x"`.
ARGS ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-8s %s\n", $$1, $$2 }'

.PHONY: test
test: fmt lint unit system ## Everything the CI checks: fmt, lint, unit, system

.PHONY: fmt
fmt: ## Check the formatting
	cargo fmt --all --check

.PHONY: lint
lint: ## Run clippy with warnings denied
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

.PHONY: unit
unit: ## Run the Rust tests: units, vectors, properties, samples
	cargo test --workspace --all-features --locked

# The binaries are built here, where cargo's progress can be seen; pytest would hide it.
.PHONY: system
system: setup ## Run the whole-system tests: real binaries, a real queue, outside senders
	cargo build --locked $(FUNCTIONS:%=--bin %)
	$(VENV)/bin/python -m pytest -ra $(ARGS) tests/system

.PHONY: setup
setup: $(STAMP) ## Install what the system tests need into .venv

$(STAMP): $(REQUIREMENTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "make: the system tests need Python 3.11 or newer, and '$(PYTHON)' is not: set PYTHON=/path/to/python3.x" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: '$(PYTHON)' cannot make virtual environments: install its venv module (python3-venv on Debian)" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS)
	@touch $@

.PHONY: events
events: ## Make the sample events in events/ anew
	cargo run --locked -p letterbox-tests --bin events

.PHONY: measure
measure: setup ## Build the release functions and measure their size, start, deliveries and memory
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" cargo lambda build --release $(FUNCTIONS:%=--bin %)
	$(VENV)/bin/python tests/measure.py $(ARGS)

.PHONY: serve
serve: ## Serve all functions on one local port, with a local queue
	cargo run --locked -- serve

.PHONY: clean
clean: ## Remove everything that was built or installed
	cargo clean
	rm -rf $(VENV) .pytest_cache tests/system/.pytest_cache
	find tests -name __pycache__ -type d -prune -exec rm -rf {} +
