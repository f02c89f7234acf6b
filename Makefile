# Thin: each target is a `course` command or pytest, so that conda and Windows users type that instead (see README).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NBVAL := -p fresh_notebooks --nbval-lax --nbval-current-env --nbval-cell-timeout 600 -p no:cacheprovider

.PHONY: setup course test test-fast lab clean

setup: $(READY)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) tools/setup.py $(VENV)
	@touch $(READY)

course: setup
	@$(BIN)/course run $(if $(ROUTE),--route $(ROUTE))

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests --durations 15
	PYTHONPATH=tests $(BIN)/python -m pytest $(NBVAL) notebooks --durations 20

test-fast: setup
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests -m "not slow" --durations 10

lab: setup
	@$(BIN)/jupyter lab notebooks/00_start_here.ipynb

clean:
	rm -rf build runs
