# Thin: each target is a `course` command or pytest, so that conda and Windows users type that instead (see README).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

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
	$(BIN)/python -m pytest tests
	$(BIN)/python -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout 600 -p no:cacheprovider notebooks

test-fast: setup
	$(BIN)/ruff check .
	$(BIN)/python -m pytest tests -m "not slow"

lab: setup
	@$(BIN)/jupyter lab notebooks/00_start_here.ipynb

clean:
	rm -rf build runs
