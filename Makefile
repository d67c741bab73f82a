# `make demo` runs the reference project, `make test` the tests.
# PYTHON is the newest of Python 3.11 to 3.13 that runs here and can make environments.
SHELL := bash
.SHELLFLAGS := -o pipefail -c
RUNS = $(shell $(1) -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $(1))
PYTHON ?= $(or $(call RUNS,python3.13),$(call RUNS,python3.12),$(call RUNS,python3.11),$(call RUNS,python3),\
	$(error found no Python of 3.11 to 3.13 with ensurepip; install one, or name it: make PYTHON=/path/to/python3.13))
VENV := .venv
READY := $(VENV)/.ready
SERVING := .serving
# The tests that a version of Python could change: fingerprints read syntax trees, values and times are Python's.
# Python 3.13 also warns of a database that stays open, and names of typing are not classes there.
QUICK := tests/definitions tests/timing tests/values tests/storage tests/operations/test_shop.py \
	tests/service/test_vectors.py tests/adapters/test_data_versions.py tests/test_architecture.py
export PATH := $(abspath $(VENV))/bin:$(PATH)
PIP := python -m pip install --disable-pip-version-check
# Installs the locked requirements, and prints each as pip comes to it.
define INSTALL
all=$$(grep -c '^[a-zA-Z0-9].*==' requirements.txt); n=0; \
$(PIP) --progress-bar off --require-hashes -r requirements.txt | while read -r first second _ fourth _; do \
	case "$$first $$second" in \
		Ignoring\ *) n=$$((n + 1)) ;; \
		Collecting\ *) n=$$((n + 1)); echo "  $$n of $$all: $$second" ;; \
		Requirement\ *) n=$$((n + 1)); echo "  $$n of $$all: $$fourth" ;; \
		"Installing collected") echo "  all are here; unpacking them" ;; \
	esac; \
done
endef

.PHONY: python demo example test quick s3 croissant serving laws check docs bench-offline bench-join bench-online bench-pushes bench-rolling bench-windows bench-windows-online bench-windows-approximate bench-gate bench-build bench-profile bench-leaks bench-fingerprint bench-on-demand bench-preprocessing bench-faults reliability attack year soak reproducible lock clean

$(READY): requirements.txt pyproject.toml
	test -x $(VENV)/bin/python || { echo "Making the environment $(VENV) with $(PYTHON)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing requirements.txt into $(VENV): about 1 GB, for some minutes on a new machine"
	@$(INSTALL)
	$(PIP) --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: $(READY) ## run the reference project on real flights, as a DVC pipeline, and print a summary
	@echo "dvc.yaml has $$(grep -c '^    cmd:' dvc.yaml) stages; DVC runs those that are out of date, for some minutes the first time"
	dvc repro
	featurestore summary

example: $(READY) ## train and measure a model on the reference project, and show what a leak would have promised
	dvc repro examples/departure_delay/dvc.yaml
	dvc metrics show
	cd examples/departure_delay && python predict.py

python: ## print the Python that environments are made with
	@echo $(PYTHON)

# Three processes on two cores: tests of servers and stores wait for a quarter of their time.
test: $(READY) ## run all tests
	python -m pytest -n 3

s3: $(VENV)/.s3-ready ## install a server of the S3 protocol, and test a DVC remote on it
	python -m pytest tests/operations/test_clone.py

$(VENV)/.s3-ready: $(READY) requirements/s3.txt
	$(PIP) --quiet --require-hashes -r requirements/s3.txt
	touch $@

croissant: $(VENV)/.croissant-ready ## install MLCommons' validator of Croissant, and test the data card with it
	python -m pytest tests/operations/test_card.py

$(VENV)/.croissant-ready: $(READY) requirements/croissant.txt
	$(PIP) --quiet --require-hashes -r requirements/croissant.txt
	touch $@

serving: $(SERVING)/.ready ## install a serving machine from requirements/serve.txt, and test it
	python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir $(SERVING)/wheels .
	$(SERVING)/bin/$(PIP) --quiet --no-deps --force-reinstall $(SERVING)/wheels/*.whl
	FEATURESTORE_SERVING_PYTHON=$(abspath $(SERVING))/bin/python python -m pytest tests/service/test_serving_machine.py

$(SERVING)/.ready: $(READY) requirements/serve.txt
	rm -rf $(SERVING)
	python -m venv $(SERVING)
	$(SERVING)/bin/$(PIP) --quiet --no-deps --require-hashes -r requirements/serve.txt
	touch $@

quick: $(READY) ## run a selection of the tests, for a second version of Python
	python -m pytest -n 2 $(QUICK)

# One law alone may take longer here than a test that hangs.
laws: PATIENT = -o faulthandler_timeout=3600
laws: $(READY) ## test the laws again, with 25 times the examples of `make test`, and plant every fault; fit 1,000 columns of each kind, and read windows of 10,000 histories
	LAW_DEPTH=25 python -m pytest -n 2 $(PATIENT) -m hypothesis
	LAW_DEPTH=200 python -m pytest -n 2 $(PATIENT) tests/preprocessing/test_against_scikit_learn.py tests/preprocessing/test_against_plain_python.py
	LAW_HISTORIES=10000 python -m pytest -n 2 $(PATIENT) -k oracle tests/windows/test_windows.py tests/windows/test_one_key.py \
		tests/windows/test_online.py --deselect tests/windows/test_online.py::test_every_store_serves_the_windows_of_the_oracle
	LAW_DEPTH=10 python -m pytest -n 2 $(PATIENT) tests/faults

check: $(READY) ## check format, lint, types and layers
	ruff format --check .
	ruff check .
	mypy
	lint-imports

docs: $(VENV)/.docs-ready ## build the documentation as a site in site/, and check every link
	zensical build --clean --strict

$(VENV)/.docs-ready: $(READY) docs/requirements.txt
	python -m pip install --quiet --disable-pip-version-check --require-hashes -r docs/requirements.txt
	touch $@

bench-offline: benchmarks/.ready ## measure the point-in-time join beside its peers
	python benchmarks/offline.py --plot docs/offline.svg

bench-join: $(READY) ## join 5, 20 and 100 million entity rows from file to file, and measure the peak memory
	python benchmarks/join.py

bench-online: benchmarks/.ready ## measure materialization and lookup, in process and over HTTP, beside Feast
	python benchmarks/online.py
	python benchmarks/serving.py
	python benchmarks/server_stores.py

bench-windows-online: $(READY) ## one key with a million events and five windows, read from the embedded store
	python benchmarks/windows_online.py

bench-windows-approximate: benchmarks/.ready ## measure quantiles and numbers of different values, exact and within a bound
	python benchmarks/windows_approximate.py

bench-rolling: $(READY) ## count the rows of real flights that are wrong by `rolling` and by windows
	python benchmarks/rolling.py

bench-windows: benchmarks/.ready ## measure windows that slide beside a range join in DuckDB, Polars and Feast's tiles
	python benchmarks/windows.py

bench-pushes: $(READY) ## measure single-row pushes as their log grows, and reads of the log
	python benchmarks/pushes.py

bench-gate: benchmarks/.ready ## measure the gate beside a hand-fused query, Pandera, dataframely, pointblank and DuckDB
	python benchmarks/gate.py

bench-build: $(READY) ## measure the validation and the build of ten million rows beside sorting and writing them by hand
	python benchmarks/build.py

bench-profile: benchmarks/.ready ## measure the profile beside DuckDB's SUMMARIZE, and many small files beside Polars' glob
	python benchmarks/profile_rows.py

bench-leaks: benchmarks/.leaks-ready ## count what check-leaks, audit-set, leakprobe and timefence find
	python benchmarks/leaks.py
	python benchmarks/audit_set.py

benchmarks/.leaks-ready: $(READY) benchmarks/leaks.txt
	python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/leaks.txt
	touch $@

bench-fingerprint: $(READY) ## edits that change values, and edits that do not, beside what `feast apply` notices
	python benchmarks/fingerprint.py

bench-on-demand: $(READY) ## on-demand features of a few rows, in plain Python and in Polars
	python benchmarks/on_demand.py

bench-preprocessing: benchmarks/.preprocessing-ready ## fitted steps of one row and of millions, beside Polars by hand, polars-ds and scikit-learn; splits
	python benchmarks/preprocessing.py
	python benchmarks/splits.py

benchmarks/.preprocessing-ready: $(READY) benchmarks/preprocessing.txt
	python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/preprocessing.txt
	touch $@

bench-faults: $(READY) ## what plain Feast does with the faults that our commands catch
	python benchmarks/feast_faults.py

reliability: $(READY) ## serve under load with faults injected for minutes, then simulate a year of faults; check every answer
	python benchmarks/reliability.py
	python benchmarks/year.py

attack: $(READY) ## try the doors of a server and of a project as an attacker does, for minutes
	python benchmarks/attack.py

year: $(READY) ## simulate a year of 10,000 faults, and check every answer and every acknowledged write after each
	python benchmarks/year.py

soak: $(READY) ## serve under a mix of requests for ten minutes; memory, descriptors and threads stay flat
	python benchmarks/soak.py

reproducible: $(READY) ## build natural views again and again, on shuffled rows and several numbers of threads
	python benchmarks/reproducible.py

benchmarks/.ready: $(READY) benchmarks/requirements.txt
	python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.txt
	touch $@

# A server has no terminal, and it does not run on Windows.
NO_TERMINAL := $(addprefix --no-emit-package ,rich markdown-it-py mdurl pygments colorama)
LOCK := uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
	--no-emit-find-links --no-header
lock: ## resolve the requirements again, and write them with hashes
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) requirements/serve.in --constraints requirements.txt $(NO_TERMINAL) --output-file requirements/serve.txt
	$(LOCK) requirements/s3.in --output-file requirements/s3.txt
	$(LOCK) requirements/croissant.in --output-file requirements/croissant.txt
	$(LOCK) benchmarks/requirements.in --output-file benchmarks/requirements.txt
	$(LOCK) benchmarks/leaks.in --output-file benchmarks/leaks.txt
	$(LOCK) benchmarks/preprocessing.in --output-file benchmarks/preprocessing.txt
	$(LOCK) docs/requirements.in --output-file docs/requirements.txt

clean: ## remove the environment, all data and the site
	rm -rf $(VENV) $(SERVING) site .cache
	find data -mindepth 1 ! -path data/raw ! -path data/raw/.gitignore -delete
