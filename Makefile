# Needs python3 >= 3.11 only; each target installs what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A separate environment for the libraries of the comparison.
BENCH := $(VENV)/bench
# Another one for the libraries that the defaults are compared with.
PEERS := $(VENV)/defaults
MINUTES ?= 30
# The interpreter of test-python.
PY ?= python3.13
AROUND := fit stream imports memory searches first_call tracking
INSTALLED := $(VENV)/.installed
PLUGINS := $(sort $(wildcard plugins/seqpipe-*))

.PHONY: demo test chromium test-lowest test-python check docs downstream faults fuzz bench bench-gpu defaults languages ui clean

demo: $(INSTALLED)  ## the main example: search over cells on real data
	$(BIN)/seqpipe run digits --set 'search.grid.cell=[rnn, lstm, gru, mgu]'

test: $(INSTALLED) chromium  ## all tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

chromium:  ## the browser of tests/tracking/test_interface.py, from Debian where that is possible
	@command -v chromium > /dev/null \
	    || { [ "$$(id -u)" = 0 ] && timeout 60 apt-get -qq update && timeout 240 apt-get -qq install --yes --no-install-recommends chromium; } \
	    || echo 'Chromium is not installed, so its test is skipped: it needs Debian and root, or "apt-get install chromium" by one who has it.'

test-lowest:  ## all tests, with the lowest versions in pyproject.toml
	$(PYTHON) -m venv $(VENV)/lowest
	sed -nE '/^dependencies/,/^]/ s/^ *"([A-Za-z0-9._-]+)>=([0-9.]+)",$$/\1==\2/p' pyproject.toml > $(VENV)/lowest/constraints.txt
	$(VENV)/lowest/bin/python -m pip install --quiet --constraint $(VENV)/lowest/constraints.txt --editable '.[test]' $(PLUGINS:%=--editable %)
	# Old libraries raise warnings about each other.
	$(VENV)/lowest/bin/python -m pytest -n 2 --dist worksteal -W default

test-python:  ## all tests, with the interpreter PY
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

downstream: $(INSTALLED)  ## tests of all plug-ins in plugins/catalogue.toml, and of new ones; writes plugins/results.json
	SEQPIPE_SLOW=1 $(BIN)/python -m pytest tests/plugins/test_scaffold.py tests/docs/test_new_cell_page.py
	$(BIN)/python plugins/downstream.py

faults: $(INSTALLED)  ## kills, outages, forged files, exhausted memory: the long forms of tests that make test runs short
	SEQPIPE_FAULTS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --durations=20 tests/security $(shell grep -rl SEQPIPE_FAULTS tests --include='test_*.py' --exclude-dir=security)

fuzz: $(INSTALLED)  ## slow tests and the long forms of those of engines, then random cells, compiled with sanitizers, for MINUTES
	SEQPIPE_SLOW=1 $(BIN)/python -m pytest -n 2 --dist worksteal tests/recurrence
	SEQPIPE_SLOW=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m slow --ignore tests/recurrence
	$(BIN)/python tests/recurrence/compiler/test_random_cells.py --minutes $(MINUTES)

bench: $(BENCH)/.installed  ## benchmarks against torch and other libraries, written to docs/speed.md
	mkdir -p benchmarks/results
	# Measurements that fail are listed in the report and do not stop the others.
	-$(BENCH)/bin/python benchmarks/engines.py
	-$(BENCH)/bin/python benchmarks/peers.py
	for script in $(AROUND); do \
	    $(BENCH)/bin/python benchmarks/$$script.py > benchmarks/results/$$script.md || rm benchmarks/results/$$script.md; \
	done
	$(BENCH)/bin/python benchmarks/report.py

bench-gpu: $(BENCH)/.installed  ## benchmarks on a GPU, added to docs/speed.md
	mkdir -p benchmarks/results
	$(BENCH)/bin/python benchmarks/gpu.py > benchmarks/results/gpu.md || { rm benchmarks/results/gpu.md; exit 1; }
	$(BENCH)/bin/python benchmarks/report.py

defaults: $(PEERS)/.installed  ## scores of the defaults, on all problems; writes docs/defaults.md
	$(PEERS)/bin/python benchmarks/defaults.py --final --write

languages: $(INSTALLED)  ## what cells learn of formal languages; writes docs/formal-languages.md
	$(BIN)/python benchmarks/formal_languages.py --write

ui: $(INSTALLED)  ## the runs in the browser
	$(BIN)/seqpipe ui

# Python compiles a module when it is first imported: compiling all of them here takes longer than installing them.
$(INSTALLED): pyproject.toml constraints.txt $(PLUGINS:%=%/pyproject.toml)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]' $(PLUGINS:%=--editable %)
	touch $(INSTALLED)

$(BENCH)/.installed: pyproject.toml constraints.txt benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt torch
	$(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt --editable . --requirement benchmarks/requirements.txt
	touch $(BENCH)/.installed

# aeon requires older versions than constraints.txt has.
$(PEERS)/.installed: pyproject.toml constraints.txt benchmarks/requirements-defaults.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --constraint constraints.txt torch
	$(PEERS)/bin/python -m pip install --quiet --editable . --requirement benchmarks/requirements-defaults.txt
	touch $(PEERS)/.installed

clean:
	rm -rf $(VENV) build dist docs/_build docs/api docs/gallery docs/catalogue.md docs/hooks.md docs/operations.md docs/tutorials .pytest_cache .mypy_cache .ruff_cache .hypothesis
