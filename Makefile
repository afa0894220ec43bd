# make lab    set up what is missing, open JupyterLab        (make lab ARGS=--no-browser, make lab TORCH=cpu)
# make test   set up what is missing, run all that CI runs
# make build  rebuild lectures/ and solutions/ from their sources
PYTHON ?= python3
TORCH ?=
ARGS ?=
BIN := .venv/bin

.PHONY: lab test build
lab:
	@$(PYTHON) tools/install.py lab $(TORCH)
	@$(BIN)/course lab $(ARGS)

test:
	@$(PYTHON) tools/install.py test $(TORCH)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/course build --check
	$(BIN)/python -m pytest $(ARGS)

build:
	@$(PYTHON) tools/install.py test $(TORCH)
	$(BIN)/course build $(ARGS)
