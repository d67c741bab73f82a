# `make demo` runs the reference project, `make test` the tests.
PYTHON ?= python3.11
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(abspath $(VENV))/bin:$(PATH)

.PHONY: demo test laws check docs bench-offline bench-online bench-gate bench-fingerprint bench-faults reliability reproducible lock clean

$(READY): requirements.txt pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(READY) ## run the reference project on real flights, as a DVC pipeline, and print a summary
	dvc repro
	featurestore summary

test: $(READY) ## run all tests
	python -m pytest -n 2

laws: $(READY) ## test the laws again, with ten times the examples of `make test`
	LAW_DEPTH=10 python -m pytest -n 2 -m hypothesis

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

bench-online: benchmarks/.ready ## measure materialization and lookup, in process and over HTTP, beside Feast
	python benchmarks/online.py
	python benchmarks/serving.py

bench-gate: benchmarks/.ready ## measure the gate beside a hand-fused query, Pandera, dataframely, pointblank and DuckDB
	python benchmarks/gate.py

bench-fingerprint: $(READY) ## edits that change values, and edits that do not, beside what `feast apply` notices
	python benchmarks/fingerprint.py

bench-faults: $(READY) ## what plain Feast does with the faults that our commands catch
	python benchmarks/feast_faults.py

reliability: $(READY) ## serve under load with faults injected for minutes, and check every answer
	python benchmarks/reliability.py

reproducible: $(READY) ## build natural views again and again, on shuffled rows and several numbers of threads
	python benchmarks/reproducible.py

benchmarks/.ready: $(READY) benchmarks/requirements.txt
	python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.txt
	touch $@

LOCK := uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
	--no-emit-find-links --no-header
lock: ## resolve the requirements again, and write them with hashes
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) benchmarks/requirements.in --output-file benchmarks/requirements.txt
	$(LOCK) docs/requirements.in --output-file docs/requirements.txt

clean: ## remove the environment, all data and the site
	rm -rf $(VENV) data site .cache
