# make            install the pinned packages into .venv, then run the workflow
# make test       the whole test suite, the smoke workflow included
# make coverage   the same, and which lines of bench/ it did not run
# make tables     the tables again, from the records that exist
# make report     the tables and the report, paper_tables/<scale>/report.html, a file for a browser
# make test-slurm the smoke scale through a Slurm of its own on this machine (needs slurm-wlm and munge)
#
# SCALE=quick     which scale (cpu, floor, floor-gpu, noise, paper, paper-short, quick, smoke); without it, the one that
#                 suits this machine
# CORES=1         cores, of which a run on a CPU takes as many as its scale says, and a test one (default: 2 where there
#                 are as many)
# ARGS=...        further options of snakemake (or of pytest, for `make test`), such as ARGS=-n
# PYTHON=python3  the Python (3.11 or newer) that .venv is made with

PYTHON ?= python3
CORES ?= $(if $(filter 1,$(shell unset OMP_NUM_THREADS; nproc)),1,2)
SCALE ?=
ARGS ?=
export SCALE

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: all tables report test coverage test-slurm

all: .venv/ready
	@$(BIN)/python -m snakemake --cores $(CORES) $(ARGS)

tables: .venv/ready
	@$(BIN)/python -m snakemake --cores 1 tables $(ARGS)

report: .venv/ready
	@$(BIN)/python -m snakemake --cores $(CORES) report $(ARGS)

test-slurm: .venv/ready
	@bash tests/slurm/run.sh $(BIN)/python

# One thread: a second costs small tensors more than it gives, many times as much where the cores are shared.
test: .venv/checks
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(CORES) $(ARGS)

coverage: .venv/checks
	@$(BIN)/python -m coverage erase
	@status=0; OMP_NUM_THREADS=1 $(BIN)/python -m coverage run -m pytest $(ARGS) || status=$$?; \
	$(BIN)/python -m coverage combine --quiet && $(BIN)/python -m coverage report && exit $$status

# Made anew when the pins change, so that nothing of an older list stays behind.
.venv/ready: envs/requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) was not found; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1), but 3.11 or newer is needed; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) cannot make virtual environments; install the package python3-venv" >&2; exit 1; }
	@echo "installing the packages of $< into .venv (once; some minutes)"
	@$(PYTHON) -m venv --clear .venv
	@$(PIP) install --quiet --requirement $<
	@touch $@

# Triton comes with torch for CUDA, and that one must stay.
.venv/checks: envs/check.txt envs/triton.txt .venv/ready
	@$(PIP) install --quiet --no-deps --requirement $<
	@$(BIN)/python -c 'import triton' 2>/dev/null || $(PIP) install --quiet --no-deps --requirement envs/triton.txt
	@touch $@
