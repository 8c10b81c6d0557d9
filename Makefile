# One command each, from nothing but Python 3.11, pip and make: the first run makes .venv, the next find it as it is.
# make PYTHON=python3.13 … uses another interpreter; make test ARGS='-k bearer' hands arguments to pytest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo example test lint bench bench-compare docs dist clean

PYTHON ?= python3
export PYTHON
ARGS ?=
APP ?=
BIN := .venv/bin
# The wrapper would ask a registry for a newer release of itself, and Material would print an advertisement.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export NO_MKDOCS_2_WARNING := 1

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: .venv/.demo ## Show the whole story in one terminal: tokens issued, accepted, refused, revoked
	@$(BIN)/resource-server demo

example: .venv/.dev ## Run an example and an authorization server for it: make example APP=flask; without APP, list them
	@$(BIN)/python -m examples $(APP)

test: .venv/.dev ## Run every test on all cores, and hold the coverage of each package to its mark
	$(BIN)/coverage erase
	$(BIN)/pytest --numprocesses auto --cov --cov-report term --cov-report json:build/coverage.json $(ARGS)
	$(if $(ARGS),,$(BIN)/python scripts/coverage_gate.py build/coverage.json resource_server=100 mock_as=95)

lint: .venv/.dev ## Judge the sources: ruff, its formatter, mypy, pyright and the import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo --no-cache

bench: .venv/.dev ## Measure what judging a request costs; with ARGS=chaos something else (ARGS=--help lists it)
	$(BIN)/python -m benchmarks $(ARGS)

bench-compare: .venv/.dev ## Measure us beside the peers that scripts.peers has installed, and write docs/benchmarks.md
	$(BIN)/python -m benchmarks compare $(ARGS)

docs: .venv/.dev ## Build the documentation into site/, strictly
	$(BIN)/mkdocs build --strict

dist: ## Build what a release consists of into dist/: sdist, wheel, and a list of every part
	scripts/dist

clean: ## Remove everything that these commands made, .venv included
	rm -rf .venv build dist site .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.demo: pyproject.toml constraints/demo.txt scripts/setup
	@scripts/setup demo
	@touch $@

# All that the demo needs is in here too.
.venv/.dev: pyproject.toml constraints/dev.txt scripts/setup
	@scripts/setup dev
	@touch .venv/.demo $@
