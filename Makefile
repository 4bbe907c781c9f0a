# On a fresh machine: `make demo` sets everything up and shows the product, `make test` tests it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FOR ?=
SPEED ?= 7200
PORT ?= 8080
SEEDS ?= 20000
KILLS ?= 200

PRISM_VERSION := 5.16.0
TWILIO_VERSION := 8.3.2
NPM := npm --no-audit --no-fund --ignore-scripts --loglevel error

.PHONY: demo test check bench soak sdk prism lint types imports lock clean
.DEFAULT_GOAL := demo

PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --retries 2 --timeout 15
# pip has said what failed; this is what to do about it.
OR_SAY_WHY := || { printf '%s\n' '' 'Packages could not be installed (above is why). Is the network there? pip takes a proxy from' \
  'HTTPS_PROXY, a mirror from PIP_INDEX_URL, and wheels on disk from PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER.' \
  'Then say make again: what is there already is kept.' >&2; exit 1; }

$(VENV)/.run: requirements/run.txt requirements/build.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo 'There is no $(PYTHON). Install Python 3.11 or newer, or say make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is Python %d.%d, and 3.11 or newer is needed: say make PYTHON=python3.11" % sys.version_info[:2])'
	@echo 'Setting up $(VENV), once: about a minute.'
	@echo '[1/3] a Python environment …'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || { echo 'No environment could be made: Debian and Ubuntu have it in the package python3-venv.' >&2; exit 1; }
	@echo '[2/3] some thirty packages …'
	@$(PIP) install --require-hashes -r requirements/run.txt -r requirements/build.txt $(OR_SAY_WHY)
	@echo '[3/3] hairspring itself …'
	@$(PIP) install --no-deps --no-build-isolation --editable . $(OR_SAY_WHY)
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo 'Installing what tests and checks need, once: about a minute …'
	@$(PIP) install --require-hashes -r requirements/dev.txt $(OR_SAY_WHY)
	@touch $@

demo: $(VENV)/.run  ## the demo shop, served; FOR=15s ends by itself
	@$(BIN)/hairspring demo --speed $(SPEED) --port $(PORT) $(if $(FOR),--for $(FOR))

test: $(VENV)/.dev  ## the whole test suite
	$(BIN)/python -m pytest -n auto --dist worksteal

# Twilio publishes its OpenAPI document inside the package of its own command line.
$(VENV)/npm/twilio_api_v2010.json: Makefile | $(VENV)/.run
	@mkdir -p $(VENV)/npm
	@$(NPM) install --prefix $(VENV)/npm --no-save @stoplight/prism-cli@$(PRISM_VERSION)
	@cd $(VENV)/npm && tar -xzf "$$($(NPM) pack @twilio/cli-core@$(TWILIO_VERSION))" -O \
	  package/src/services/twilio-api/twilio_api_v2010.json > part.json && mv part.json twilio_api_v2010.json

prism: $(VENV)/npm/twilio_api_v2010.json  ## what the tests of SMS run against, from npm; without it they skip

sdk:  ## builds the browser SDK anew (Node, esbuild); what is built is committed
	@$(NPM) install --prefix engine/server/sdk --no-package-lock
	node engine/server/sdk/build.mjs

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

check: lint types imports test  ## what CI runs
	$(BIN)/python -m bench --small

bench: $(VENV)/.dev  ## ratios to a reference line, appended to bench/history.ndjson
	$(BIN)/python -m bench

soak: $(VENV)/.dev  ## SEEDS=20000 simulated worlds, then every fault for real, KILLS=200 times kill -9 under load
	$(BIN)/python -m engine.sim.world --seeds $(SEEDS)
	HAIRSPRING_KILLS=$(KILLS) HAIRSPRING_FAULTS=all $(BIN)/python -m pytest -m crash -p no:randomly --timeout 3600

lock: $(VENV)/.dev  ## pin requirements/*.txt anew from *.in
	for part in run build dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-annotate requirements/$$part.in -o requirements/$$part.txt; \
	done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
