# What llmcost's developers do, one verb each. Needs Python (3.11 or newer), git and make; the rest is installed
# into .venv on first use.
#
#   make check VENV=/path/to/env   uses an environment that is there already, and installs nothing into it.
#   make test INSTALLED=1 VENV=... tests the llmcost that is installed in VENV, not this folder (see .ci/run).

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
WORKERS ?= auto
PYTEST_ARGS ?=
FUZZ_CASES ?= 100000
NO_PYTHON := llmcost needs Python 3.11 or newer with venv (Debian: apt-get install python3-venv)
LITELLM := litellm==1.106.2

ifeq ($(origin VENV), undefined)
VENV := .venv
READY := $(VENV)/.ready
DEMO_READY := $(VENV)/.demo-ready
endif

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade-strategy only-if-needed --upgrade
ifdef INSTALLED
export LLMCOST_TEST_INSTALLED := 1
RUN := $(BIN)/python -P
else
export PYTHONPATH := $(CURDIR):$(CURDIR)/analyzer
RUN := $(BIN)/python
endif
PYTEST := $(RUN) -m pytest

.PHONY: help setup fmt lint type layers fast check test generated demo fuzz bench docs stack-tools dashboards pictures e2e sdks compat wheel clean up stack-build stack-up stack-down stack-test

help: ## list the verbs
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(READY) ## make .venv with everything for development (other verbs do it when needed)

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) "pip>=25.1"

.venv/.ready: pyproject.toml | .venv/bin/python
	$(PIP) --editable . --group dev
	$(PIP) --no-deps $(LITELLM)
	@touch $@ .venv/.demo-ready

.venv-openai2/.ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 2; }
	$(PYTHON) -m venv .venv-openai2
	.venv-openai2/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-openai2/bin/python -m pip install --quiet --editable . --group openai2
	@touch $@

.venv/.demo-ready: pyproject.toml | .venv/bin/python
	$(PIP) --editable ".[demo]"
	@touch $@

fmt: $(READY) ## format the code and mend what ruff can mend
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

lint: $(READY) ## ruff: rules and format
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

type: $(READY) ## mypy --strict over the package, the tests and the scripts
	$(RUN) -m mypy

layers: $(READY) ## imports point down only (import-linter)
	$(RUN) -c 'from importlinter.cli import lint_imports_command as main; main(["--no-logo"])'

fast: $(READY) ## the fast tests
	$(PYTEST) -q -n $(WORKERS) -m "not slow and not e2e" $(PYTEST_ARGS)

check: lint type layers fast ## lint, types, layers and fast tests; passes at every commit, in under two minutes

test: $(READY) ## all tests, in parallel
	$(PYTEST) -n $(WORKERS) $(PYTEST_ARGS)

generated: $(READY) ## write the pages and blocks that repeat the code or show output
	$(RUN) scripts/make_tables.py
	$(RUN) scripts/make_reference.py
	$(RUN) scripts/make_readme.py
	$(RUN) -m grafana

demo: $(DEMO_READY) ## the main job: an example program, observed and reported
	$(RUN) -m llmcost demo

fuzz: $(READY) ## mutated bodies, streams, headers and splits; FUZZ_CASES=1000 for fewer
	PYTHONPATH="$(CURDIR)/tests:$(PYTHONPATH)" $(RUN) tests/property/fuzz.py --count $(FUZZ_CASES)

bench: $(READY) ## benchmarks, as medians
	@for file in bench/*.py; do echo "== $$file"; $(RUN) "$$file" || exit; done

docs: $(READY) ## build the documentation, strictly, into site/
	$(RUN) -m mkdocs build --strict --quiet

stack-tools: ## build the stack, dashcheck and the renderer into a cache outside the checkout
	grafana/tools/get.sh

dashboards: $(READY) ## the dashboards and alerts against a real Prometheus and Jaeger (make stack-tools first)
	$(PYTEST) -q tests/unit/dashboards tests/stack/dashboards $(PYTEST_ARGS)

pictures: $(READY) ## draw the dashboards from a made-up day and keep the pictures in docs
	PYTHONPATH="$(CURDIR)/tests:$(PYTHONPATH)" $(RUN) -m stack.dashboards.draw

e2e: $(READY) ## the tests with whole programs
	$(PYTEST) -q -n $(WORKERS) tests/e2e $(PYTEST_ARGS)

sdks: $(READY) ## the tests with real SDKs and others' providers
	$(PYTEST) -q -n $(WORKERS) tests/e2e/test_sdks.py tests/e2e/test_demo.py tests/e2e/test_providers_of_others.py $(PYTEST_ARGS)

compat: .venv-openai2/.ready ## the same with openai 2 and anthropic 0.x, which use httpx
	$(MAKE) sdks VENV=.venv-openai2

up: ## start the whole stack in containers (docker compose)
	docker compose -f deploy/docker-compose.yaml up -d

stack-build: ## build what is missing of the stack (collector, Prometheus, Jaeger) into ~/.cache/llmcost-stack
	deploy/get.sh

stack-up: stack-build $(READY) ## start the stack on loopback: OTLP at 4317 and 4318, Prometheus 9090, Jaeger 16686
	$(RUN) -m deploy up

stack-down: $(READY) ## end what stack-up started
	$(RUN) -m deploy down

stack-test: stack-tools $(READY) ## the tests with the real stack
	$(PYTEST) -q tests/stack $(PYTEST_ARGS)

wheel: $(READY) ## build the wheel into dist/
	$(RUN) -m build --wheel --no-isolation --outdir dist .

clean: ## remove what was built, the environment included
	rm -rf .venv .venv-openai2 build dist site docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
