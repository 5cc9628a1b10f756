# `make search` and `make test` set up everything they need in .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TRIALS ?= 200
ARGS ?=
PROFILE ?= fuzz
DATA ?= $(MNIST_SEARCH_DATA)

.PHONY: search test check lint proofs fuzz gpu wheel clean

search: $(VENV)/installed       ## search for small networks (TRIALS=200, more options in ARGS)
	$(BIN)/mnist-search run --trials $(TRIALS) $(ARGS)

test: $(VENV)/installed-dev     ## run the tests
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal --durations=10

check: lint test                ## everything that must be green before a commit

lint: $(VENV)/installed-dev     ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

proofs: $(VENV)/installed-dev   ## the slow tests: full trainings and soaks, minutes each
	$(BIN)/python -m pytest -m slow

fuzz: $(VENV)/installed-dev     ## odd and hostile inputs by the thousand, other ones each time (PROFILE=fuzz-tenth: a tenth of them)
	$(BIN)/python -m pytest tests/fuzz --hypothesis-profile=$(PROFILE)

gpu: $(VENV)/installed-dev      ## on a GPU: its tests, then its benchmark into benchmarks/results/gpu.md (DATA=folder with MNIST)
	$(BIN)/python -m pytest -m gpu
	$(BIN)/python -m benchmarks.gpu --data-dir "$(DATA)" --out benchmarks/results/gpu.md

wheel: $(VENV)/installed-dev    ## build dist/*.whl
	$(BIN)/python -m build --wheel

clean:                          ## remove the environment and what was built
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11: name a newer one, make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@
