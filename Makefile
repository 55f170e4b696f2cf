# Everything from a bare machine with python3 >= 3.11; each target stands alone.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The libraries that are compared with are installed nowhere else.
BENCH := $(VENV)/bench
MINUTES ?= 30
# The interpreter of test-python.
PY ?= python3.13
AROUND := fit stream imports memory searches first_call
INSTALLED := $(VENV)/.installed
PLUGINS := plugins/seqpipe-convlstm plugins/seqpipe-mgu

.PHONY: demo test test-lowest test-python check docs fuzz bench bench-gpu defaults ui clean

demo: $(INSTALLED)  ## the main job: search, track and compare cells on real data
	$(BIN)/seqpipe run digits --set 'search.grid.cell=[rnn, lstm, gru, mgu]'

test: $(INSTALLED)  ## the whole suite
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-lowest:  ## the suite with the lowest versions that pyproject.toml names
	$(PYTHON) -m venv $(VENV)/lowest
	sed -nE '/^dependencies/,/^]/ s/^ *"([A-Za-z0-9._-]+)>=([0-9.]+)",$$/\1==\2/p' pyproject.toml > $(VENV)/lowest/constraints.txt
	$(VENV)/lowest/bin/python -m pip install --quiet --constraint $(VENV)/lowest/constraints.txt --editable '.[test]' $(PLUGINS:%=--editable %)
	# Old libraries warn of each other.
	$(VENV)/lowest/bin/python -m pytest -n 2 --dist worksteal -W default

test-python:  ## the suite with the interpreter PY
	$(PY) -m venv $(VENV)/$(notdir $(PY))
	$(VENV)/$(notdir $(PY))/bin/python -m pip install --quiet --constraint constraints.txt torch
	$(VENV)/$(notdir $(PY))/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[test]' $(PLUGINS:%=--editable %)
	$(VENV)/$(notdir $(PY))/bin/python -m pytest -n 2 --dist worksteal

check: $(INSTALLED)  ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED)  ## the documentation, in docs/_build/html; warnings are errors
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -d docs/_build/doctrees docs docs/_build/html

fuzz: $(INSTALLED)  ## random cells against the plain loop, compiled with sanitizers, for MINUTES
	$(BIN)/python tests/recurrence/compiler/test_random_cells.py --minutes $(MINUTES)

bench: $(BENCH)/.installed  ## how fast, against torch and other libraries: measured anew, written to docs/speed.md
	mkdir -p benchmarks/results
	# What could not be measured stands in the report, and fails nothing.
	-$(BENCH)/bin/python benchmarks/engines.py
	-$(BENCH)/bin/python benchmarks/peers.py
	for script in $(AROUND); do \
	    $(BENCH)/bin/python benchmarks/$$script.py > benchmarks/results/$$script.md || rm benchmarks/results/$$script.md; \
	done
	$(BENCH)/bin/python benchmarks/report.py

bench-gpu: $(BENCH)/.installed  ## the same on a machine with a GPU
	mkdir -p benchmarks/results
	$(BENCH)/bin/python benchmarks/gpu.py > benchmarks/results/gpu.md || { rm benchmarks/results/gpu.md; exit 1; }
	$(BENCH)/bin/python benchmarks/report.py

defaults: $(INSTALLED)  ## what the defaults reach
	$(BIN)/python benchmarks/defaults.py

ui: $(INSTALLED)  ## the runs in the browser
	$(BIN)/seqpipe ui

$(INSTALLED): pyproject.toml constraints.txt $(PLUGINS:%=%/pyproject.toml)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]' $(PLUGINS:%=--editable %)
	touch $(INSTALLED)

$(BENCH)/.installed: pyproject.toml constraints.txt benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt torch
	$(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt --editable . --requirement benchmarks/requirements.txt
	touch $(BENCH)/.installed

clean:
	rm -rf $(VENV) build dist docs/_build docs/api docs/gallery docs/tutorials .pytest_cache .mypy_cache .ruff_cache .hypothesis
