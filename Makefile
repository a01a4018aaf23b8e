# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# Small models on few cores: spinning OpenMP threads starve each other, so workers use one thread each and sleep while idle.
export OMP_WAIT_POLICY ?= PASSIVE
export TOKENIZERS_PARALLELISM ?= false
# `pip` alone does; an installed `uv` speeds it up (torch stays with pip: see docs/gpu.md).
UV := $(shell command -v uv 2>/dev/null)
INSTALL = $(if $(UV),$(UV) pip install -q --python $(PY),$(PY) -m pip install -q --disable-pip-version-check)

# Processes that run tests. Each test file stays in one of them: what its tests share is made once.
WORKERS ?= 2

.PHONY: demo app test lint docs pictures journeys trainers wheel install clean

demo: $(VENV)/.ready   ## run the whole study on the embedded default, then serve the app on it (ARGS=--no-app stops before)
	@$(PY) -m cadc demo $(ARGS)

app: $(VENV)/.ready    ## serve the app on http://localhost:8501
	@$(PY) -m cadc app $(ARGS)

test: lint              ## lint, import contracts, types, all tests, browser journeys included (ARGS=tests/export: these alone)
	OMP_NUM_THREADS=1 $(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.ready-dev  ## what `make test` checks before it runs anything
	$(VENV)/bin/ruff check .
	PYTHONPATH=. $(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

docs: $(VENV)/.ready-dev  ## write the tables of docs/ anew from what the code registers
	@PYTHONPATH=. $(PY) -m tests.docs.tables

pictures: $(VENV)/.ready-dev  ## the pictures of docs/pages, taken of the demo study with one comparison (made first where they are not there)
	@$(PY) -m cadc demo --no-app >/dev/null && $(PY) -m cadc evaluate demo >/dev/null
	@PYTHONPATH=. $(PY) -m tests.docs.pictures

journeys: $(VENV)/.ready-dev  ## the browser journeys over rows, on a synthesised pool of 665 000 (minutes to make it)
	CADC_JOURNEY_ROWS=665000 OMP_NUM_THREADS=1 $(PY) -m pytest tests/e2e/test_rows.py $(ARGS)

trainers: $(VENV)/.ready-dev  ## every export in its own trainer (first time: environments of about 10 GB in .trainers; ARGS=trl: that one)
	@PYTHONPATH=. $(PY) -m benchmarks.trainers $(ARGS)

wheel: $(VENV)/.ready-dev  ## dist/cadc_studio-*.whl
	@$(PY) -m hatchling build -t wheel

install: $(VENV)/.ready

$(VENV)/.ready: requirements.txt constraints.txt pyproject.toml
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed; set PYTHON=…"; exit 1; }
	@echo "installing into $(VENV) (a few minutes the first time)" >&2
	@$(PY) -m pip install -q --disable-pip-version-check "$$(grep '^torch==' requirements.txt)"
	@$(INSTALL) -r requirements.txt
	@$(INSTALL) --no-deps -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt requirements-ray.txt requirements-peers.txt \
		tests/e2e/package-lock.json
	@$(INSTALL) -r requirements-dev.txt -r requirements-ray.txt
	@$(INSTALL) --no-deps -r requirements-peers.txt
	@sh tests/e2e/install_chromium.sh
	@cd tests/e2e && npm ci --no-audit --no-fund --silent
	@touch $@

clean:   ## remove the environment (never the cache: what was computed and typed stays)
	rm -rf $(VENV) .trainers .pytest_cache .ruff_cache .mypy_cache .hypothesis dist
