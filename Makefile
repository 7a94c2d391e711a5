.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
S ?= planning

help:  ## list targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing what Zhengai needs into .venv (once; about a minute) ..."
	@$(PYTHON) -m venv .venv || { echo "Could not make a virtual environment: install Python's venv module (Debian: apt install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.lock)" \
	  || { echo "Could not install uv: is the package index reachable? (pip config list shows which one is asked)"; exit 1; }
	@$(BIN)/uv pip sync --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock \
	  || { echo "Could not install the locked packages: is the package index reachable?"; exit 1; }
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $@

run: $(READY)  ## all services, one process, no server needed
	@exec $(BIN)/python -m services.app

test: $(READY)  ## the whole suite, without any server
	@$(BIN)/python -m tests.check
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal

test-servers: $(READY)  ## flow stories on a real Kafka and PostgreSQL; a missing server is a failure
	@$(BIN)/python -m tests.servers

torture: $(READY)  ## kill, stop and mislead real processes and check the result: ROUNDS=n STACK=embedded|distributed SEED=n
	@$(BIN)/python -m tests.torture $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(STACK),--stack $(STACK)) $(if $(SEED),--seed $(SEED))

planted: $(READY)  ## plant known bugs one by one and see which test turns red; writes docs/planted-bugs.md
	@$(BIN)/python -m tests.planted

check: $(READY)  ## format, lint, types, import rules
	@$(BIN)/python -m tests.check

fix: $(READY)  ## format, and repair what can be repaired
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

golden: $(READY)  ## write a golden file for each new event version (never overwrites)
	@$(BIN)/python -m tests.contract.write_golden

docs: $(READY)  ## write the generated pages of docs/
	@$(BIN)/python -m tests.contract.write_docs

migration: $(READY)  ## new migration for one service: make migration S=planning M="add owner"
	@$(BIN)/python -m tests.contract.write_migration $(S) "$(M)"

bench: $(READY)  ## the figures of docs/performance.md
	@$(BIN)/python -m tests.bench

bench-peers: $(READY)  ## the product beside Kafka Streams on the same work; needs wrk (apt install wrk); RUNS=1 make bench-peers is shorter
	@$(BIN)/python -m tests.bench.peers

lock:  ## choose package versions anew
	@uv pip compile --universal --python-version 3.11 --generate-hashes --group dev pyproject.toml -o requirements.lock \
	  --no-annotate --quiet --upgrade --custom-compile-command "make lock"

.PHONY: help run test test-servers torture planted check fix golden docs migration bench bench-peers lock
