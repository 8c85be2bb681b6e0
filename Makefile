# Everything runs in .venv, which these targets make themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
SOURCE := $(wildcard pyproject.toml)

.PHONY: demo test test-slow check bench docs gallery clean

demo: $(VENV)/.core
	$(BIN)/thalweg run examples/diabetes.toml --out runs/diabetes --overwrite
	$(BIN)/thalweg run examples/digits.toml --out runs/digits --overwrite

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"
	$(BIN)/python -m pytest --doctest-modules src/thalweg -p no:randomly
	$(BIN)/sphinx-build -W -q -b html docs docs/_build

docs: $(VENV)/.dev
	$(BIN)/sphinx-build -W -q -b html docs docs/_build
	@echo "docs/_build/index.html"

# Half an hour; figures that are there already are left alone.
gallery: $(VENV)/.core
	$(BIN)/thalweg reproduce --all --out docs/gallery

# torch is pinned to its CPU build: a plain torch brings gigabytes of CUDA.
bench: $(VENV)/.dev
	$(PIP) install -q "torch==2.13.0+cpu" || $(PIP) install -q "torch==2.13.0+cpu" \
	  --extra-index-url https://download.pytorch.org/whl/cpu
	$(BIN)/python -m benchmarks

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Thalweg needs Python 3.11 or later; name one with PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(BIN)/python $(SOURCE)
	$(PIP) install -q -e .
	@touch $@

$(VENV)/.test: $(BIN)/python $(SOURCE)
	$(PIP) install -q -e ".[test]"
	@touch $@ $(VENV)/.core

$(VENV)/.dev: $(BIN)/python $(SOURCE)
	$(PIP) install -q -e ".[dev]"
	@touch $@ $(VENV)/.test $(VENV)/.core

clean:
	rm -rf $(VENV) docs/_build runs .pytest_cache .mypy_cache .ruff_cache
