# `make run` serves, `make test` runs everything; both set up what they need in .venv and do nothing twice.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
READY_RUN := $(VENV)/ready-run
READY_DEV := $(VENV)/ready-dev
MADE_IN := $(VENV)/made-in
# Candidates for the interpreter; `make PYTHON=/path/to/python3.12 run` names one.
PYTHON ?=
SOURCES := webadmin tests benchmarks wsgi.py
TRANSLATIONS := webadmin/translations

# A virtual environment holds absolute paths: one that was moved, or whose Python is gone, is made again.
ifneq ($(shell test -x $(BIN)/python && cat $(MADE_IN) 2>/dev/null),$(CURDIR))
$(MADE_IN): FORCE
endif

.PHONY: help run setup test browser check lint types layers templates format bench docs translations FORCE

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

run: $(READY_RUN) ## set up and serve (PORT, default 8000)
	@exec $(BIN)/python wsgi.py

setup: $(READY_DEV) ## set up .venv with everything that development needs

test: check browser ## all checks, then all tests
	@$(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

check: lint types layers templates ## lint, types, layers, templates

lint: $(READY_DEV) ## ruff, bandit, codespell
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml webadmin wsgi.py
	@$(BIN)/codespell

types: $(READY_DEV) ## mypy, strict
	@$(BIN)/mypy

layers: $(READY_DEV) ## imports point downwards
	@$(BIN)/lint-imports

templates: $(READY_DEV) ## djlint
	@$(BIN)/djlint templates --lint --quiet

format: $(READY_DEV) ## format code, mend what can be mended by machine
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

bench: $(READY_DEV) ## the published measurements
	@$(BIN)/python -m pytest -m bench -p no:randomly -s $(PYTEST_ARGS)

docs: $(READY_RUN) ## renew .env.local.example and the table in docs/configuration.md
	@$(BIN)/python -m webadmin.setting_docs

translations: $(READY_DEV) ## gather the texts of pages for translation, and compile the translations
	@texts=$$(mktemp); trap 'rm -f "$$texts"' EXIT; \
	$(BIN)/pybabel --quiet extract --mapping-file=pyproject.toml --keywords=lazy_gettext --add-location=file --sort-output --output-file="$$texts" .; \
	$(BIN)/pybabel --quiet update --input-file="$$texts" --output-dir=$(TRANSLATIONS) --no-wrap --no-fuzzy-matching \
	  --ignore-obsolete --ignore-pot-creation-date; \
	$(BIN)/pybabel --quiet compile --directory=$(TRANSLATIONS)

$(MADE_IN):
	@python=''; \
	for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	  if command -v "$$candidate" >/dev/null && "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	    python="$$candidate"; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Error: Python 3.11 or newer was not found ($$(python3 --version 2>&1 || true))." >&2; \
	  echo "Try: install it (Debian, Ubuntu: apt install python3 python3-venv), or: make PYTHON=/path/to/python3.12 run" >&2; \
	  exit 1; \
	fi; \
	if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "Error: $$python cannot make a virtual environment: its venv or ensurepip module is missing." >&2; \
	  echo "Try: apt install python3-venv (Debian, Ubuntu), or the package of that name of your system." >&2; \
	  exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$("$$python" --version) ..."; \
	"$$python" -m venv --clear $(VENV)
	@printf '%s' '$(CURDIR)' > $@

$(READY_RUN): requirements.txt | $(MADE_IN)
	@echo "Installing the packages of $< ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $< || { \
	  echo "Error: the packages of $< could not be installed." >&2; \
	  echo "Try: see pip's message above; with no way out to the package index, set PIP_INDEX_URL to one you can reach." >&2; \
	  exit 1; }
	@touch $@

$(READY_DEV): requirements-dev.txt $(READY_RUN)
	@echo "Installing the packages of $< ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# The browser journeys need Chromium from the system's packages. It is fetched only where that asks nobody for a password.
browser: $(READY_DEV)
	@if command -v chromium chromium-browser google-chrome >/dev/null; then exit 0; fi; \
	as_root=''; if [ "$$(id -u)" != 0 ]; then as_root='sudo -n'; fi; \
	if command -v apt-get >/dev/null && { [ -z "$$as_root" ] || sudo -n true 2>/dev/null; }; then \
	  echo "Installing chromium for the browser tests ..."; \
	  if $$as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as_root apt-get install -y -qq chromium >/dev/null; then exit 0; fi; \
	fi; \
	echo "SKIPPED: the browser tests, for want of Chromium. To run them: apt install chromium"

FORCE:
