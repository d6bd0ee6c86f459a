# Everything on a fresh machine: Python 3.11 or newer, git and make are enough.
#   make demo    builds the environment if needed, then the whole workflow on a made-up experiment
#   make docs    the documentation, into docs/_build/html
#   make test    builds the environment if needed, then all tests; make test-fast, those that take no time

PYTHON ?= python3
# Where torch comes from. By default it is as pip finds it; for Linux without an NVIDIA GPU see the README.
TORCH_INDEX ?=
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
STAMP := $(VENV)/installed
DEMO ?= demo

.PHONY: demo test test-fast lint lint-page types docs clean

demo: $(STAMP)
	$(BIN)/antrax demo $(DEMO) --colony --run

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# Unit tests that need neither Keras, a trained network, real data nor a browser, with fewer examples of each property:
# under a minute on two idle processors. A file's tests run in one process, which shares its fixtures; compiled modules
# are kept whatever the environment says, because compiling them takes a fifth of the time. Two processes at work need no
# threads of torch's, which wait for one another and take a third of the time.
test-fast: export PYTHONDONTWRITEBYTECODE =
test-fast: export OMP_NUM_THREADS = 1
test-fast: $(STAMP)
	$(BIN)/python -m pytest tests/unit -n 2 --dist loadfile -m "not slow and not browser and not real_data" --hypothesis-profile fast

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python docs/check_docstrings.py
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory lint-page; \
	else echo "lint-page is left out: there is no npm; only work on the app's page needs it"; fi

# The app's page: types against the server's (app/schemas), and the layout of its code.
lint-page: $(STAMP)
	mkdir -p tests/page/build
	$(BIN)/python tests/page/make_types.py tests/page/build/messages.d.ts
	cd tests/page && npm ci --silent --no-audit --no-fund && npm run --silent types && npm run --silent format

types: $(STAMP)
	$(BIN)/mypy

# torch first: what else is installed then finds it there and asks for no other build
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch \
		$(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,docs]"
	$(BIN)/python -c "open('$(STAMP)', 'w').close()"

# Needs no network; a warning is an error.
docs: $(STAMP)
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf $(VENV) $(DEMO) docs/_build
