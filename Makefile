# Two commands on a fresh machine with Python >= 3.11 and make:  make demo   make test
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
# two workers of one thread each: torch's threads would only wait for each other
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

.PHONY: help install demo test test-all bench docs clean

help:            ## list these commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*##/\t/' | expand -t 12

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; try 'make PYTHON=python3 ...' (Python >= 3.11)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch first and alone: its pinned build must be chosen before another package asks for a range
$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) torch
	$(PIP) --editable '.[image,audio,report]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) torch
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.docs: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) torch
	$(PIP) --editable '.[docs]'
	@touch $@

install: $(VENV)/.dev   ## make .venv and install the package with the tools of development

demo: $(VENV)/.demo     ## generate clips, compare modalities and fusions, save and reload a pipeline
	$(BIN)/python -m sklearn_mmsent.demo

test: $(VENV)/.dev      ## lint, then the tests (offline, CPU, under ten minutes)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PYTEST) -m "not slow"

test-all: $(VENV)/.dev  ## every test, the slow ones on real data too
	$(PYTEST)

bench: $(VENV)/.dev     ## accuracy on real data (set MMSENT_DATA to its folder)
	$(BIN)/python benchmarks/accuracy.py

docs: $(VENV)/.docs     ## build the documentation and run its gallery (docs/_build/html)
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx --fail-on-warning --keep-going docs docs/_build/html

clean:           ## remove the environment and what was built
	rm -rf $(VENV) build dist *.egg-info demo_output docs/_build docs/api docs/gallery
