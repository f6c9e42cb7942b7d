PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KERNELS := src/spikedoor/snn/kernels
INSTALL := $(BIN)/python -m pip --disable-pip-version-check --quiet install -c constraints.txt
WITH_CHECKS := .[dev,docs,nir,oracles]
FRAMES := src/spikedoor/data/events
SOURCES := pyproject.toml setup.py constraints.txt $(wildcard $(KERNELS)/*.c $(KERNELS)/*.h $(FRAMES)/*.c)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test docs bench clean

help: ## Say what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## Set up .venv and run the demonstration
	$(BIN)/spikedoor demo

test: $(VENV)/.dev ## Set up .venv and run every check, the tests last
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest

docs: $(VENV)/.dev ## Build the documentation into build/docs
	$(BIN)/sphinx-build -W --keep-going -b html docs build/docs

bench: $(VENV)/.dev ## Run the benchmarks
	set -e; for file in $(sort $(wildcard benchmarks/[a-z]*.py)); do $(BIN)/python $$file; done

clean: ## Remove build products and caches; the next verb installs anew into .venv
	rm -rf build dist src/*.egg-info $(KERNELS)/*.so $(FRAMES)/*.so $(VENV)/.run $(VENV)/.dev
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find src tests -name __pycache__ -prune -exec rm -rf {} +

# torch comes first and by its exact version, as any looser request may fetch gigabytes of CUDA.
define set-up
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    "spikedoor needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $(VENV)/.run $(VENV)/.dev
	$(INSTALL) $(shell sed -n '/^torch==/p' constraints.txt)
	$(INSTALL) -e '$(1)'
	@ls $(KERNELS)/_neuron_*.so >/dev/null 2>&1 || \
	    echo "note: no compiled CPU kernel (is there a C compiler with OpenMP?); torch does its work"
endef

# Debian's browser, for the tests of the page, which are skipped without one.
define chromium
	@command -v chromium >/dev/null || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ] || \
	    { apt-get -qq update && apt-get -qq install --no-install-recommends -y chromium; } >/dev/null 2>&1 || \
	    echo "note: no chromium could be installed; the tests of the page are skipped"
endef

# A stamp is touched last, so a set-up that was interrupted is repeated.
$(VENV)/.run: $(SOURCES)
	$(call set-up,.)
	@touch $@

# spikingjelly without dependencies: it demands torchvision, which breaks beside a CPU build of torch.
$(VENV)/.dev: $(SOURCES)
	$(call set-up,$(WITH_CHECKS))
	$(INSTALL) 'loguru<1' tqdm requests scipy
	$(INSTALL) --no-deps spikingjelly==2.0.0
	$(chromium)
	@touch $(VENV)/.run $@
