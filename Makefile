# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# Small models on few cores: spinning OpenMP threads starve each other, so workers use one thread each and sleep while idle.
export OMP_WAIT_POLICY ?= PASSIVE
export TOKENIZERS_PARALLELISM ?= false
# `pip` alone does; an installed `uv` speeds it up (torch stays with pip: see README, "Choosing a torch build").
UV := $(shell command -v uv 2>/dev/null)
INSTALL = $(if $(UV),$(UV) pip install -q --python $(PY),$(PY) -m pip install -q --disable-pip-version-check)

.PHONY: demo app test lint install clean

demo: $(VENV)/.ready   ## run the whole study on the embedded default, then serve the app on it (ARGS=--no-app stops before)
	@$(PY) -m cadc demo $(ARGS)

app: $(VENV)/.ready    ## serve the app on http://localhost:8501
	@$(PY) -m cadc app $(ARGS)

test: $(VENV)/.ready-dev  ## lint, import contract, all tests, browser journeys included
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports
	OMP_NUM_THREADS=1 $(PY) -m pytest $(ARGS)

lint: $(VENV)/.ready-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports

install: $(VENV)/.ready

$(VENV)/.ready: requirements.txt constraints.txt
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed; set PYTHON=…"; exit 1; }
	@echo "installing into $(VENV) (a few minutes the first time)" >&2
	@$(PY) -m pip install -q --disable-pip-version-check "$$(grep '^torch==' requirements.txt)"
	@$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt requirements-ray.txt requirements-peers.txt
	@$(INSTALL) -r requirements-dev.txt -r requirements-ray.txt
	@$(INSTALL) --no-deps -r requirements-peers.txt
	@command -v chromium >/dev/null || sh tests/e2e/install_chromium.sh
	@touch $@

clean:   ## remove the environment (never the cache: what was computed and typed stays)
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
