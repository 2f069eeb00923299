# Frontdoor: `make run` serves the dashboard, `make test` runs every test. Both install what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STORE ?= duckdb:///$(CURDIR)/store/demo
HOST := 127.0.0.1
PORT ?= 8501
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --extra postgresql --extra language --extra build

.PHONY: run test test-faults setup check format lock setup-test train-sentiment bench bench-text

# Without STORE=… the demo company is simulated once and kept.
run: setup
	@case "$(STORE)" in "duckdb:///$(CURDIR)/store/demo") $(BIN)/frontdoor demo --if-missing --store "$(STORE)";; esac
	@echo "Frontdoor serves $(STORE) at http://$(HOST):$(PORT) (stop with Ctrl+C)"
	@FRONTDOOR_STORE="$(STORE)" exec $(BIN)/streamlit run app.py --server.address $(HOST) --server.port $(PORT)

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml scripts/make_venv.sh
	@sh scripts/make_venv.sh "$(PYTHON)" $(VENV)
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check --no-deps --requirement requirements.lock
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup-test: $(VENV)/.installed-test

$(VENV)/.installed-test: requirements-dev.lock $(VENV)/.installed scripts/install_system_packages.sh
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check --no-deps --requirement requirements-dev.lock
	@sh scripts/install_system_packages.sh
	@touch $@

# On all cores, a file of tests at a time; `make test PYTEST="-n 0 -k name"` for a few.
PYTEST ?= --numprocesses auto --dist loadfile
test: setup-test check
	$(BIN)/python -m pytest $(PYTEST)

# Kills loads (and, a tenth as often, all other writing commands) at random moments, on each engine.
KILLS ?= 200
test-faults: setup-test
	FRONTDOOR_KILLS=$(KILLS) $(BIN)/python -m pytest --numprocesses auto tests/test_kills.py tests/test_faults.py

check: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.installed-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Fits the shipped sentiment weights again from ../shared/data/training: same input, same bytes.
train-sentiment: $(VENV)/.installed-test
	$(BIN)/python scripts/train_sentiment.py

# The measured error of the text readers beside plain VADER's, on the labelled sets in ../shared/data.
bench-text: $(VENV)/.installed-test
	$(BIN)/python benchmarks/text_quality.py --write

# Speed, size and memory as ratios to references of the same run; see benchmarks/README.md.
ROWS ?= 1000000
PARTS ?= load,store,pages,postgresql,sessions,browser,export
bench: $(VENV)/.installed-test
	$(BIN)/python benchmarks/bench.py --rows $(ROWS) --parts $(PARTS)

# New versions: edit pyproject.toml, then `make lock`.
lock: $(VENV)/.installed-test
	$(COMPILE) --extra dev --output-file requirements-dev.lock pyproject.toml
	$(COMPILE) --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml
