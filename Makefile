# Everything from a bare machine with python3 >= 3.11; each target stands alone.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check bench ui clean

demo: $(INSTALLED)  ## the main job: search, track and compare cells on real data
	$(BIN)/seqpipe run pipelines/digits.yaml

test: $(INSTALLED)  ## the whole suite
	$(BIN)/python -m pytest -n 2

check: $(INSTALLED)  ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)  ## what the defaults reach
	$(BIN)/python benchmarks/defaults.py

ui: $(INSTALLED)  ## the runs in the browser
	$(BIN)/seqpipe ui

$(INSTALLED): pyproject.toml constraints.txt plugins/seqpipe-mgu/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]' --editable plugins/seqpipe-mgu
	touch $(INSTALLED)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
