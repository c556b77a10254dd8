# Everything a person or a CI machine needs, with nothing installed but python3 >= 3.11.
# `make help` lists the targets; CI calls the same ones (.ci/run).

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
FAST   := not slow and not editor and not gpu
ARGS   ?=
# The others need a corpus, a second model or earlier results: benchmarks/README.md says which.
BENCHES := benchmarks/lsp_session.py benchmarks/latency.py benchmarks/footprint.py \
  benchmarks/infill_quality.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo setup test test-all test-editors bench check fmt clean distclean named-python

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' \
	  | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.installed  ## install into .venv, then watch holes being filled
	@$(BIN)/diffill demo $(ARGS)

setup: $(VENV)/.installed-dev  ## install with the tools for working on it

test: $(VENV)/.installed-dev  ## the quick tests, as on every save
	$(BIN)/python -m pytest -m "$(FAST)" $(ARGS)

test-all: $(VENV)/.installed-dev  ## every test; those without their editor or device are skipped with the reason
	$(BIN)/python -m pytest $(ARGS)

test-editors: $(VENV)/.installed-dev  ## install editors into .editors/ and drive them; minutes, and a gigabyte
	$(BIN)/python tests/editors/install_neovim.py
	@for script in tests/editors/*/install.sh; do bash "$$script" || [ $$? -eq 3 ]; done
	$(BIN)/python -m pytest -m editor $(ARGS)

bench: $(VENV)/.installed-dev  ## run the benchmarks; the last line of each is one JSON document
	@set -e; for script in $(BENCHES); do echo "== $$script"; $(BIN)/python "$$script" $(ARGS); done

check: $(VENV)/.installed-dev  ## lint, formatting, types and import directions
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.installed-dev  ## sort imports and apply the linter's safe fixes
	$(BIN)/ruff check --fix .

clean:  ## remove caches and build output; keeps .venv
	rm -rf build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find diffusion lsp_server tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean  ## remove .venv too
	rm -rf $(VENV)

# The stamps are keyed on pyproject.toml: a changed dependency installs again, nothing else does.
$(VENV)/.installed: pyproject.toml | named-python
	@echo "Installing Diffill into $(VENV); the first time, torch is some hundred megabytes, or gigabytes with the ordinary build on Linux."
	$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | named-python
	@echo "Installing Diffill and its development tools into $(VENV)."
	$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/.installed

# Says what is missing before it makes anything.
NEW_VENV = command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "error: no '$(PYTHON)' on PATH; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.12" >&2; exit 2; }; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $$($(PYTHON) --version 2>&1) is too old, Diffill needs 3.11 or newer; name another: make PYTHON=python3.12" >&2; exit 2; }; \
	$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  v=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "error: this Python $$v has no venv module; on Debian and Ubuntu: sudo apt install python$$v-venv" >&2; exit 2; }; \
	$(PYTHON) -m venv $(VENV)

$(BIN)/python:
	@$(NEW_VENV)

# A PYTHON that somebody named is used, or it is said why not: an environment of another version is
# in its way. One that nothing was installed into, as the first try failed, is made anew.
named-python: | $(BIN)/python
ifneq ($(filter command environment,$(origin PYTHON)),)
	@version='import sys; print("%d.%d" % sys.version_info[:2])'; \
	there=$$($(BIN)/python -c "$$version"); named=$$($(PYTHON) -c "$$version") || { \
	  echo "error: '$(PYTHON)' does not run; name another, or none to use the Python $$there of $(VENV)" >&2; exit 2; }; \
	if [ "$$named" = "$$there" ]; then exit 0; fi; \
	if [ -e $(VENV)/.installed ] || [ ! -e $(VENV)/pyvenv.cfg ]; then \
	  echo "error: $(VENV) was made with Python $$there, not $$named; run \`make distclean\` first" >&2; exit 2; fi; \
	$(NEW_VENV) --clear
endif
