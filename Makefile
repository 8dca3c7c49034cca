# Everything from a bare machine: Python 3 (any), git, make and a C compiler are enough.
.DEFAULT_GOAL := help
.PHONY: help setup demo ui docs test check bench test-live test-long clean
SHELL := /bin/bash

BIN := .venv/bin
SONIK := $(BIN)/sonik
MANIFEST := dbt_project/target/manifest.json
DBT_SOURCES := $(shell find dbt_project \( -name target -o -name logs -o -name dbt_packages \) -prune -o -type f -print)
SCALE ?= 1

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready $(MANIFEST) ## Install everything into .venv (a second call does nothing)

.venv/.ready: requirements.lock pyproject.toml scripts/bootstrap.sh
	@scripts/bootstrap.sh

$(MANIFEST): .venv/.ready $(DBT_SOURCES)
	@echo "parsing the dbt project"
	@$(BIN)/python -c 'from sonik_assets.unified import dbt; dbt.parse()'
	@touch $@

demo: setup ## Run all stages on the sample and show what came out
	@$(SONIK) demo

ui: setup ## Serve the Dagster UI on 127.0.0.1:3000 (Ctrl-C ends it)
	@$(SONIK) ui

docs: setup ## Write a page about all tables, columns and where they come from; no network is used
	@found="$$($(SONIK) env)" && eval "$$found" && dbt --quiet docs generate --static --target-path "$$SONIK_HOME/docs" \
		&& echo "open $$SONIK_HOME/docs/static_index.html"

test: setup ## Run the tests against real servers
	@$(BIN)/pytest

check: setup ## Lint and type-check everything
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt_project/models
	$(BIN)/lint-imports

bench: setup ## Measure; ONLY=name for one benchmark, SCALE=n for more data
	@$(BIN)/python -m benchmarks --scale "$(SCALE)" $(if $(ONLY),--only "$(ONLY)")

test-live: setup ## Run the reader tests against a real Directus (npm and curl; 80 s the first time, 1 GB)
	@$(BIN)/pytest -m live -n 0 -rs

test-long: setup ## Run what `make test` leaves out: killed runs, the whole move of a database, long random histories
	@$(BIN)/pytest -m long

clean: ## Stop the servers; remove their data, .venv and caches
	@if [ -x $(SONIK) ]; then $(SONIK) down --delete; fi
	rm -rf .sonik .venv .uv dbt_project/target dbt_project/logs .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
