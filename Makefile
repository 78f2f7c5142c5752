# Two commands: `make run` shows the service, `make test` proves it. Both set everything up on a bare Debian/Ubuntu
# with Python 3.11+, git and make. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000
export PATH := $(CURDIR)/$(BIN):$(PATH)
UV_VERSION := 0.13.8
APT_RUN := libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-cjk
APT_TEST := mariadb-server redis-server chromium

.PHONY: help setup setup-test client console-assets run reset test check fmt lint types lock bench

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

# Debian's python3 cannot make a venv by itself, and packages need root; an ordinary user is told what to ask for.
define apt
	@missing=""; for p in $(1); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
	  elif sudo -n true 2>/dev/null; then sudo apt-get update -q && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
	  else echo "please run: sudo apt-get install$$missing"; exit 1; fi; fi
endef

$(VENV)/bin/uv:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  pkg=$$($(PYTHON) -c 'import sys; print(f"python{sys.version_info[0]}.{sys.version_info[1]}-venv")'); \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$pkg; \
	  else sudo apt-get update -q && sudo apt-get install -y -q --no-install-recommends $$pkg; fi; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt

$(VENV)/.run.ok: requirements/run.txt setup.cfg pyproject.toml | $(VENV)/bin/uv
	$(call apt,$(APT_RUN))
	@[ -e $(VENV)/.dev.ok ] || $(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements/run.txt
	@[ -e $(VENV)/.dev.ok ] || $(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev.ok: requirements/dev.txt setup.cfg pyproject.toml | $(VENV)/bin/uv
	$(call apt,$(APT_RUN) $(APT_TEST))
	$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements/dev.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run.ok

setup: $(VENV)/.run.ok ## what running needs
setup-test: $(VENV)/.dev.ok ## what testing needs

lock: | $(VENV)/bin/uv ## resolve setup.cfg into requirements/*.txt
	$(BIN)/uv pip compile setup.cfg --universal --python-version 3.11 --generate-hashes -q -o requirements/run.txt
	$(BIN)/uv pip compile setup.cfg --extra dev --universal --python-version 3.11 --generate-hashes -q -o requirements/dev.txt

# ---- what browsers get: built from locked npm trees with the Node of the environment ----

NPM := $(BIN)/npm --no-audit --no-fund --loglevel=error

console/node_modules/.ok: console/package-lock.json | $(VENV)/.run.ok
	cd console && ../$(NPM) ci --ignore-scripts
	@touch $@

client/node_modules/.ok: client/package-lock.json | $(VENV)/.run.ok
	cd client && ../$(NPM) ci
	@touch $@

client/dist/build/h5/index.html: client/node_modules/.ok $(shell find client/src client/index.html client/vite.config.ts client/package.json -type f 2>/dev/null)
	cd client && ../$(NPM) run -s build:h5
	@touch $@

console-assets: console/node_modules/.ok
client: client/dist/build/h5/index.html ## build the H5 client that /m/ serves

client-mini: client/node_modules/.ok ## build the WeChat and Alipay mini-programs
	cd client && ../$(NPM) run -s build:mp-weixin && ../$(NPM) run -s build:mp-alipay

run: setup console-assets client ## the whole service on embedded defaults, with a demo campus; Ctrl-C ends it
	@$(BIN)/python -m commands up --port $(PORT)

reset: ## forget the demo campus
	rm -rf var

fmt: setup-test ## format the code
	$(BIN)/ruff format -q . && $(BIN)/ruff check --fix -q .

lint: setup-test ## ruff, mypy strict on the inner house, import directions
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports

# ---- proving it ----

PYTEST := $(BIN)/python -m pytest -q
TEST_LOG := var/test

check: setup-test lint ## lint and the fast tests, under a minute
	$(PYTEST) -n 2 --dist loadfile -m "not race and not browser and not drill and not contract" tests/core tests/models tests/campus tests/jobs tests/platforms tests/wxbot

test: setup-test lint console-assets client ## everything: lint, unit, MariaDB and Redis, browser, drills
	mkdir -p $(TEST_LOG)
	$(PYTEST) -n 2 --dist loadfile -m "not browser and not drill" tests
	$(PYTEST) -m "browser" tests
	$(PYTEST) -m "drill" tests
	cd client && ../$(NPM) run -s check && ../$(NPM) run -s test

bench: setup-test ## the benchmarks, each a table of ratios
	$(BIN)/python -m benchmarks.callbacks
	$(BIN)/python -m benchmarks.notices
