# On a fresh machine: `make demo` sets everything up and shows the product, `make test` tests it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FOR ?=
SPEED ?= 7200
PORT ?= 8080
SEEDS ?= 20000

.PHONY: demo test check bench soak lint types imports lock clean
.DEFAULT_GOAL := demo

$(VENV)/.run: requirements/run.txt requirements/build.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hairspring needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt -r requirements/build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

demo: $(VENV)/.run  ## the demo shop, served; FOR=15s ends by itself
	$(BIN)/hairspring demo --speed $(SPEED) --port $(PORT) $(if $(FOR),--for $(FOR))

test: $(VENV)/.dev  ## the whole test suite
	$(BIN)/python -m pytest

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

soak: $(VENV)/.dev  ## kill -9 under load, for longer than the test suite does
	HAIRSPRING_KILLS=200 $(BIN)/python -m pytest -m crash -p no:randomly --timeout 3600

lock: $(VENV)/.dev  ## pin requirements/*.txt anew from *.in
	for part in run build dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-annotate requirements/$$part.in -o requirements/$$part.txt; \
	done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
