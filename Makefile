# The commands of the project; `make` alone lists them. All of them work from a fresh clone.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
# Test processes at once, and further arguments of pytest: make test WORKERS=4 ARGS="tests/sla -x"
WORKERS ?= 2
ARGS ?=
export PYTHON PORT HOST SIZE

.PHONY: help install run test check bench proof lock screenshots

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

install: ## .venv with everything that tests and checks need
	@sh scripts/install.sh dev

run: ## the desk on http://localhost:8000 (PORT overrides) with all its servers; Ctrl-C stops it
	@sh scripts/install.sh run
	@exec .venv/bin/python manage.py up --with-parent $(ARGS)

test: install ## all tests but the long ones
	@.venv/bin/pytest -n $(WORKERS) -m "not proof" $(ARGS)

check: install ## style, types, layers, schema, migrations, architecture
	@bash scripts/check.sh

bench: install ## measured figures, with data of its own making (SIZE=1m for a million incidents)
	@.venv/bin/python bench/run.py $(ARGS)

proof: install ## the long tests: whole logs, 200 races, 20,000 examples of each property
	@RACES=200 .venv/bin/pytest -n $(WORKERS) -m proof $(ARGS)
	@RACES=200 .venv/bin/pytest tests/incidents/test_races.py
	@HYPOTHESIS_PROFILE=proof .venv/bin/pytest -n $(WORKERS) -k "properties or fold or lifecycle"

lock: install ## the hashed locks, after a change of pyproject.toml (ARGS=--upgrade for newer versions)
	@sh scripts/lock.sh $(ARGS)

screenshots: install ## the pictures of the README
	@.venv/bin/python scripts/screenshots.py $(ARGS)
