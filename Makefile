# Every target sets up what it needs: a Python environment in .venv, the tools, and the engine built into src/forebay.
# What is already there and current is not made again. `make help` lists the targets.

PROFILE ?= release
ARGS    ?=

VENV    := .venv
BIN     := $(VENV)/bin
TOOLS   := $(VENV)/tools.stamp
ENGINE  := src/forebay/_engine.abi3.so
BUILT   := $(VENV)/profile
RUST    := Cargo.toml Cargo.lock $(shell find engine/src binding -name '*.rs' -o -name Cargo.toml)

.SHELLFLAGS := -euc
.DEFAULT_GOAL := help
.PHONY: help demo test test-engine test-python check bench instructions fmt docs setup clean FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  ARGS="..." is passed on: make demo ARGS="--seconds 10", make test-python ARGS="-k readme", make bench ARGS=small-get.'
	@echo '  PROFILE=quick builds the engine faster and runs it a little slower (default: release).'

demo: $(ENGINE) ## three servers, a gateway and a load; one server dies and no request is lost
	@$(BIN)/forebay demo $(ARGS)

test: test-engine test-python ## every test: the engine's own, then Python's with real servers and sockets

test-engine: | cargo ## the engine's tests alone; need no Python
	cargo test --profile quick --locked --package forebay-engine

test-python: $(ENGINE) ## the Python tests alone
	@if [ -n '$(ARGS)' ]; then set -x; $(BIN)/python -m pytest $(ARGS); \
	else set -ex; $(BIN)/python -m pytest -m 'not e2e' -n 2 --dist loadfile; $(BIN)/python -m pytest -m e2e; fi

check: $(ENGINE) ## formats, lints, types, and that generated references are current
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	cargo fmt --all --check
	cargo fmt --manifest-path bench/tools/Cargo.toml --check
	cargo clippy --profile quick --workspace --all-targets --locked -- -D warnings
	cargo clippy --manifest-path bench/tools/Cargo.toml --target-dir target/bench-tools --locked -- -D warnings
	$(BIN)/python -m mypy.stubtest forebay._engine
	$(BIN)/python -m forebay.config.reference --check

bench: $(ENGINE) ## the same work on Forebay, nginx, HAProxy and Caddy; writes bench/RESULTS.md
	$(BIN)/python -m bench $(ARGS)

instructions: $(TOOLS) | cargo ## fails where a pick takes over 2 % more instructions than bench/instructions.json says; needs valgrind
	$(BIN)/python -m bench.gate $(ARGS)

fmt: $(TOOLS) | cargo ## format all sources
	$(BIN)/ruff format
	$(BIN)/ruff check --fix-only --quiet
	cargo fmt --all
	cargo fmt --manifest-path bench/tools/Cargo.toml

docs: $(ENGINE) ## write the generated references anew
	$(BIN)/python -m forebay.config.reference

setup: $(ENGINE) ## only what the other targets do first

clean: ## remove the environment and all that was built
	rm -rf $(VENV) target $(ENGINE) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# What is below is the set-up. The stamp and the built module are files, so make knows by their age what is current.

$(TOOLS): pyproject.toml | cargo
	@python=''; for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python="$$candidate"; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo 'Forebay needs Python 3.11 or newer, and none was found on PATH. Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.' >&2; exit 1; fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python cannot make virtual environments: its module venv or ensurepip is missing. On Debian and Ubuntu: apt install python3-venv." >&2; exit 1; fi; \
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  echo "Making $(VENV) with $$python"; "$$python" -m venv --clear $(VENV); fi; \
	echo 'Installing the tools into $(VENV)'; \
	if ! $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' \
	  || ! $(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev; then \
	  echo 'The tools could not be installed: pip says why above. Without a network, point pip at a mirror or a folder of wheels (PIP_INDEX_URL, PIP_FIND_LINKS) and call make again.' >&2; exit 1; fi
	@touch $@

$(ENGINE): $(TOOLS) $(BUILT) $(RUST) | cargo
	@echo 'Building the engine ($(PROFILE); the first time takes a minute or two)'; \
	if ! PIP_QUIET=1 PIP_DISABLE_PIP_VERSION_CHECK=1 VIRTUAL_ENV='$(realpath $(VENV))' $(BIN)/maturin develop --locked --profile $(PROFILE); then \
	  echo 'The engine could not be built: cargo or pip says why above. If a crate or package could not be fetched, this machine has no way to its registry; a mirror goes into ~/.cargo/config.toml or PIP_INDEX_URL.' >&2; exit 1; fi
	@touch $@

# Holds the profile that the engine was last built with, so that a change of PROFILE builds it again.
$(BUILT): FORCE | $(TOOLS)
	@if [ "$$(cat $@ 2>/dev/null || true)" != '$(PROFILE)' ]; then echo '$(PROFILE)' > $@; fi

.PHONY: cargo
cargo:
	@if ! command -v cargo >/dev/null; then \
	  echo 'Forebay builds its engine with Rust 1.85 or newer, and cargo was not found on PATH. Install it with rustup (https://rustup.rs) or from your distribution, and call make again.' >&2; exit 1; fi; \
	release=$$(rustc --version | cut -d' ' -f2); minor=$${release#*.}; minor=$${minor%%.*}; \
	if [ "$${release%%.*}" -eq 1 ] && [ "$$minor" -lt 85 ]; then \
	  echo "Forebay builds its engine with Rust 1.85 or newer; this is Rust $$release. Run rustup update, and call make again." >&2; exit 1; fi; \
	if ! command -v cc >/dev/null; then \
	  echo 'cargo needs a C linker, and cc was not found on PATH. On Debian and Ubuntu: apt install gcc libc6-dev.' >&2; exit 1; fi
