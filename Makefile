# Two commands do everything on a fresh machine with Python >= 3.11 and make: `make app` and `make test`.
PYTHON ?= python3
SIZE ?= cpu
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH := $(CURDIR)
export HF_HUB_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: app test check verify prove prove-feedback shots clean

app: $(VENV)/.ready            ## set up what is missing, then serve the app on this machine
	@$(BIN)/python -m lamsim_core provision
	@$(BIN)/python -m lamsim_core app

test: $(VENV)/.ready-dev check  ## set up what is missing, then lint, types, contracts and tests
	@$(BIN)/python -m lamsim_core provision
	@scripts/ensure_chromium
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.ready-dev       ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

verify: $(VENV)/.ready          ## every task template on 20 seeds
	$(BIN)/python -m lamsim_core verify --seeds 20

prove: $(VENV)/.ready           ## the whole way: explore, curate, train, measure; SIZE=smoke, cpu or gpu; goes on where it was
	@$(BIN)/python -m lamsim_core provision
	$(BIN)/python -m lamsim_core flywheel --size $(SIZE) --name proof-$(SIZE)

prove-feedback: $(VENV)/.ready  ## the feedback by mutation: errors found, legal ways spared, cheats stopped
	$(BIN)/python -m lamsim_core prove --seeds 3

shots: $(VENV)/.ready-dev       ## screenshots of every page, light and dark, into test-results/
	@scripts/ensure_chromium
	$(BIN)/python -m tests.browser.shots test-results/shots

clean:                          ## remove what was set up; your runs in var/ stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache test-results

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 app"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.txt constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.ready-dev: requirements-dev.txt $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
