# `make` alone lists the tasks. Nothing here needs more than a POSIX shell, make and Python 3.11-3.13.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV    := .venv
BIN     := $(VENV)/bin
PYTHON  ?= $(shell scripts/find-python)
DATA    ?= data
PORT    ?= 8700
NODE_PORT ?= 8545
SEED    ?=
KILLS   ?= 500
T       ?= tests
WORKERS ?= 3

LOCKED  := $(VENV)/.locked
LINKED  := $(VENV)/.linked
SYMJS   := tests/interop/symjs
SYMJS_READY := $(SYMJS)/node_modules/.locked

.PHONY: help setup run demo test check format e2e fault bench docs release clean

help: ## List the tasks
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(LINKED) $(SYMJS_READY) ## Make .venv with everything that run, test and check need

run: $(LINKED) ## Start the platform with demo people and keep serving (DATA=, PORT=, NODE_PORT=)
	@exec $(BIN)/jigap up --data $(DATA) --port $(PORT) --node-port $(NODE_PORT) --demo

demo: $(LINKED) ## The main job from sign-up to audit in a temporary folder, under 30 seconds
	@exec $(BIN)/jigap demo

test: setup ## The whole suite (T=tests/unit for a part of it, WORKERS=0 in one process)
	@scripts/run-tests $(BIN) $(WORKERS) $(T)

check: setup ## Format, lint, strict types, floors, generated documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python docs/generate.py --check

format: $(LINKED) ## Rewrite the sources in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

e2e: setup ## Journeys over HTTP against real processes
	$(BIN)/python -m pytest tests/e2e

fault: setup ## Kills, lies and delays from one seed (SEED=, KILLS=)
	JIGAP_FAULT_SEED=$(SEED) JIGAP_FAULT_KILLS=$(KILLS) $(BIN)/python -m pytest tests/fault

bench: $(LINKED) ## Measure, as ratios taken in one run
	$(BIN)/python -m bench

docs: $(LINKED) ## Write docs/reference again from the code
	$(BIN)/python docs/generate.py

release: check test ## Build the distributions into dist/
	rm -rf dist
	$(BIN)/python -m hatchling build
	cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS

clean: ## Remove .venv, caches and everything built
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis $(SYMJS)/node_modules

$(LOCKED): requirements.lock
	@test -n "$(PYTHON)" || { echo "make: Python 3.11, 3.12 or 3.13 is needed and was not found." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(LINKED): $(LOCKED) pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(SYMJS_READY): $(LINKED) $(wildcard $(SYMJS)/package-lock.json)
	@scripts/install-symjs $(BIN) $(SYMJS)
