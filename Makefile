# Everything happens in .venv, which is made anew only when pyproject.toml has changed.

PYTHON ?= python3
ARGS ?=
# Test processes at a time; a file's tests stay in one, so that what they share is made once. One
# more than a small machine has cores: tests wait for Ray, servers and browsers a quarter of the time.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help study test test-all faults promises hosts soak bench check clean

help:
	@echo 'make study [ARGS="..."]  run studies/lenet_sensitivity.py; ARGS="--help" names its options'
	@echo 'make test  [ARGS="..."]  run the fast tests; ARGS="-k NAME" chooses among them'
	@echo 'make test-all            run all tests, as .ci/run does: whole studies, servers, browsers'
	@echo 'make faults              kill a small study at every failpoint; run it again; compare'
	@echo 'make promises            the tables of tests/faults/promised.yaml, each row with what came out'
	@echo 'make hosts               launch a cluster of three hosts on this machine, cut one off, compare; as root'
	@echo 'make soak [ARGS="..."]   kill driver and workers of the MNIST smoke study at random for 30 minutes'
	@echo 'make bench [ARGS="..."]  compare the speed with two plain PyTorch loops'
	@echo 'make check               linter, formatter, type checker, import rules, dead code'
	@echo 'make clean               remove .venv and caches; results stay'
	@echo 'PYTHON=python3.12 makes .venv with another Python, 3.11 or newer.'

study: $(VENV)/.installed
	$(BIN)/python studies/lenet_sensitivity.py $(ARGS)

test: $(VENV)/.installed-test
	$(PYTEST) -m "not slow" $(ARGS)

test-all: $(VENV)/.installed-test
	$(PYTEST) $(ARGS)

faults: $(VENV)/.installed-test
	LTTUNE_ALL_FAULTS=1 LTTUNE_EXAMPLES=$${LTTUNE_EXAMPLES:-60} $(PYTEST) -v tests/faults $(ARGS)

promises: $(VENV)/.installed-test
	LTTUNE_ALL_FAULTS=1 $(BIN)/python tests/faults/print_promises.py faults
	LTTUNE_ALL_FAULTS=1 $(BIN)/python tests/faults/print_promises.py inputs
	LTTUNE_ALL_FAULTS=1 $(BIN)/python tests/faults/print_promises.py rules

# In one process: it prints what each phase takes.
hosts: $(VENV)/.installed-test
	LTTUNE_HOSTS=1 $(BIN)/python -m pytest -v -rs -s tests/scale $(ARGS)

soak: $(VENV)/.installed-test
	$(BIN)/python tests/faults/soak.py $(ARGS)

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks $(ARGS)

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/vulture

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find lttune analysis studies benchmarks tests -name __pycache__ -prune -exec rm -rf {} +

# Debian has python3 without ensurepip, which venv needs: say so before a half-made .venv is left.
$(VENV)/.created:
	@command -v $(PYTHON) > /dev/null || { \
	  echo 'lttune needs Python 3.11 or newer, and there is no $(PYTHON)' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "lttune needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1);" \
	    'name another with PYTHON=...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo 'lttune needs the venv module of $(PYTHON): on Debian, apt install python3-venv' >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install -e '.[test]'
	@touch $(VENV)/.installed $@
