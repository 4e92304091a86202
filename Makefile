# One target per thing a person wants; CONTRIBUTING.md says which to use when.
SHELL := /bin/bash
# The tests start some hundreds of Python programs. Where nothing compiled may be kept, as in many containers, each of
# them would compile all that it imports, which is half of what it has to do.
unexport PYTHONDONTWRITEBYTECODE
# What mypy found out about files that have not changed holds in every checkout.
export MYPY_CACHE_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/firstresponder/mypy
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3
SCENARIO ?= leak
APPROVE ?= ask
PYTEST := .venv/bin/pytest
# Many tests mostly wait, so that more of them than processors are at work; those of one file stay together.
AT_ONCE := --numprocesses=3 --dist=loadfile --no-loadscope-reorder
INSTALLED := .venv/installed
BUILD := .venv/bin/python -m tests.testbed.build

.PHONY: help
help: ## List the targets
	@sed -nE 's/^([a-z0-9-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: image
IMAGE ?= localhost/firstresponder
image: $(INSTALLED) ## The operator's image and its SBOM in dist/ (IMAGE=registry.example.com/firstresponder)
	@.venv/bin/python -m image.build --name=$(IMAGE)

.PHONY: demo cluster cluster-down
demo: need-cluster need-hosts $(INSTALLED) ## One incident from page to verified fix (APPROVE=yes, SCENARIO=list)
	@.venv/bin/python -m tests.testbed.demo --scenario=$(SCENARIO) --approve=$(APPROVE)

cluster: need-cluster need-hosts $(INSTALLED) ## Leave a cluster with the operator running; prints its KUBECONFIG
	@.venv/bin/python -m tests.testbed.local up

cluster-down: $(INSTALLED) ## Remove what `make cluster` left
	@.venv/bin/python -m tests.testbed.local down

.PHONY: kind kind-down
kind: need-kind $(INSTALLED) ## Leave a real kind cluster with the chart installed; prints its KUBECONFIG
	@$(BUILD) cluster helm kind && .venv/bin/python -m tests.testbed.kind.local up

kind-down: $(INSTALLED) ## Remove what `make kind` left
	@.venv/bin/python -m tests.testbed.kind.local down

.PHONY: test test-all test-unit test-cluster test-e2e test-kind
test: ## Set-up, lint, and all tests but the slow ones: scenarios of the catalogue, Ansible, demos
test-all: ## All tests but those of test-kind; continuous integration runs both
# What pytest is told to run; give another, as in make test SELECTED="-k approve".
test: SELECTED ?= -m "not slow"
test test-all: need-cluster need-hosts need-lint need-browser $(INSTALLED)
	@echo "make lint runs beside the tests"; \
	$(MAKE) --no-print-directory lint >.venv/lint.log 2>&1 & lint=$$!; \
	$(BUILD) cluster helm hosts && $(PYTEST) $(AT_ONCE) --ignore=tests/kind $(SELECTED); tests=$$?; \
	wait $$lint || { lint=$$?; cat .venv/lint.log; exit $$lint; }; \
	exit $$tests

test-unit: need-lint $(INSTALLED) ## Four minutes; no root, no network
	@$(PYTEST) $(AT_ONCE) tests/unit tests/model

test-cluster: need-cluster $(INSTALLED) ## Against a real API server, without hosts; no root
	@$(BUILD) cluster helm && $(PYTEST) $(AT_ONCE) tests/cluster

test-e2e: need-cluster need-hosts need-browser $(INSTALLED) ## Against a real API server and real systemd hosts
	@$(BUILD) cluster hosts && $(PYTEST) $(AT_ONCE) tests/host tests/host_ssh tests/e2e tests/browser

test-kind: need-kind $(INSTALLED) ## The operator in its pod, in a real kind cluster, with real systemd hosts
	@$(BUILD) cluster helm kind hosts && $(PYTEST) tests/kind

.PHONY: bench
bench: need-cluster need-hosts $(INSTALLED) ## Measure, and write docs/performance.md; three quarters of an hour (ONLY="storm restart")
	@$(BUILD) cluster hosts && .venv/bin/python -m benchmarks $(ONLY)

.PHONY: lint generate lock
lint: need-lint $(INSTALLED) ## Style, types, layers, shell scripts, generated files up to date
	@failed=; \
	try() { echo "lint: $$*"; "$$@" || failed+=$$'\n  '"$$*"; }; \
	try .venv/bin/ruff check --quiet; \
	try .venv/bin/ruff format --check --quiet; \
	try .venv/bin/mypy; \
	try .venv/bin/lint-imports --no-logo; \
	try shellcheck $$(grep -IrlE '^#! ?/(usr/)?bin/(env )?(ba|da)?sh' .ci host tests/testbed); \
	try .venv/bin/python -m firstresponder.codegen --check; \
	try .venv/bin/kubectl-runbook lint runbooks examples benchmarks deploy/watched-namespace; \
	[ -z "$$failed" ] || { echo "lint failed:$$failed"; exit 1; }

generate: $(INSTALLED) ## Write crds/, schemas/, deploy/, most of charts/ and the generated pages of docs/
	@.venv/bin/python -m firstresponder.codegen

lock: $(INSTALLED) ## Compile requirements.lock anew from pyproject.toml
	@$(FIND_UV); $$uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--group dev --extra html --output-file requirements.lock pyproject.toml

# Exactly what requirements.lock names, nothing else; uv itself stays beside it, in .venv/uv, where
# the machine has none.
FIND_UV = uv=uv; uv --version >/dev/null 2>&1 || uv=.venv/uv/bin/uv
$(INSTALLED): requirements.lock pyproject.toml | need-python
	@echo "Installing the packages of requirements.lock into .venv"
	@set -e; $(FIND_UV); \
	if [ $$uv = uv ]; then \
		[ -x .venv/bin/python ] || uv venv --quiet --python "$$(command -v $(PYTHON))" .venv; \
	elif [ ! -x $$uv ]; then \
		$(PYTHON) -m venv .venv; \
		.venv/bin/python -m pip install --quiet --disable-pip-version-check --target .venv/uv uv; \
	fi; \
	$$uv pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock; \
	$$uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

# The first line of output says what this machine lacks and what to do; Debian packages are
# installed when we are root.
.PHONY: need-python need-cluster need-hosts need-kind need-lint need-browser
need-python need-cluster need-hosts need-kind need-lint need-browser:
	@command -v $(PYTHON) >/dev/null || { \
		echo "error: no $(PYTHON): install Python 3.11 or newer, or name one: make PYTHON=…"; exit 1; }
	@$(PYTHON) -m tests.testbed.preflight $(@:need-%=%)
