# Two commands do everything, set-up included:
#   make run    sets up and runs the main job: the example experiment, on this machine
#   make test   sets up and runs the tests
# They need python3 (3.10 or newer) with venv, make and git; nothing else has to be installed by hand.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Debian's pip asks for no newer one; a pip cache elsewhere is the user's own choice (PIP_CACHE_DIR).
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test setup setup-dev setup-docs check lint types imports docs dist format lock conformance benchmarks clean

run: setup
	$(BIN)/python examples/experiment/experiment.py

# Much of a test is waiting for what it started: three at a time keep two cores busy. In the order of their names the last files are
# short ones, so nobody waits long for the last.
test: setup-dev
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

setup: $(VENV)/.run
setup-dev: $(VENV)/.dev

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The lock first (every version and hash), then this package alone, in place.
$(VENV)/.run: $(BIN)/python requirements.lock pyproject.toml
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	$(PIP) install --require-hashes -r requirements-dev.lock
	touch $@

$(VENV)/.docs: $(VENV)/.run requirements-docs.lock
	$(PIP) install --require-hashes -r requirements-docs.lock
	touch $@

setup-docs: $(VENV)/.docs

check: lint types imports

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-dev
	$(BIN)/mypy

imports: setup-dev
	$(BIN)/lint-imports

# Recorded workflows of a real Argo against this checkout: some six minutes, see conformance/run.
conformance: setup-dev
	bash conformance/run

# This platform and its peers side by side: about half an hour of both cores, see benchmarks/README.md.
benchmarks: setup-dev
	$(BIN)/python benchmarks/peers --build
	$(BIN)/python benchmarks/peers

# The documentation as a site, in build/site: the examples are run for it, and a warning is an error.
docs: setup-docs
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env --write-all -b html -d build/doctrees docs build/site
	$(BIN)/hera-utils serve --stop --state build/state-of-gallery >/dev/null
	@echo "build/site/index.html"

# Wheel and source distribution, looked at, and carried out in a new environment of each Python that is there.
dist: setup-dev $(VENV)/.release
	rm -rf dist
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python
	$(BIN)/twine check --strict dist/*
	$(BIN)/python tools/check_release.py

$(VENV)/.release: $(VENV)/.dev requirements-release.lock
	$(PIP) install --require-hashes -r requirements-release.lock
	touch $@

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Renew the lock files from pyproject.toml, and that of the manifests' validator (for every Python from 3.10 on, the site and a release for 3.11, Linux and macOS).
lock: setup-dev
	$(BIN)/uv pip compile pyproject.toml --extra build --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra build --group dev --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --constraint requirements.lock --output-file requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --extra build --group docs --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --constraint requirements-dev.lock --output-file requirements-docs.lock
	$(BIN)/uv pip compile pyproject.toml --group release --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --constraint requirements-docs.lock --output-file requirements-release.lock
	$(BIN)/uv pip compile tests/provenance/validator.in --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --output-file tests/provenance/validator.txt

clean:
	rm -rf $(VENV) build dist docs/gallery .pytest_cache .mypy_cache .ruff_cache .hypothesis
