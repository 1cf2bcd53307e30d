# Everything runs inside the checkout: .venv, node_modules and .solcx are set up on first use, from lock files.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
MAKEFLAGS += --no-print-directory
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
# Else every worker and every command compiles the same modules again.
unexport PYTHONDONTWRITEBYTECODE

# The newest Python that all packages have builds for.
PYTHON ?= $(shell for p in python3.12 python3.11 python3; do $$p -c '' 2>/dev/null && echo $$p && break; done)

SAY = @printf '\n== %s\n'

# Tests of the model and of bytecode under pyrevm need no ape; all other folders but forge's are run by `ape test`.
PURE := $(wildcard tests/stateful tests/differential tests/model tests/published tests/metering tests/gateway tests/meter)
# Tests of the commands start ape themselves, in processes that coverage does not see.
COMMANDS := $(wildcard tests/scripts)
# So do those on a network of nodes, which take minutes of real time.
DEVNET := tests/devnet
# So does a live market whose services are killed.
LIVE := tests/live
# And those in a browser.
WEB := tests/web
CHAIN := $(filter-out tests/forge $(PURE) $(COMMANDS) $(DEVNET) $(LIVE) $(WEB),$(sort $(foreach test,$(wildcard tests/*/test_*.py tests/*/*/test_*.py),tests/$(word 2,$(subst /, ,$(test))))))

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

# --- set-up -----------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: node_modules/.stamp ## create .venv and node_modules, put solc, anvil and forge in reach
	@:

# What running needs, without node, compilers and the packages for development.
.venv/.run: pyproject.toml uv.lock tools/setup.py
	@$(PYTHON) tools/setup.py run
	@touch $@

.venv/.stamp: pyproject.toml uv.lock tools/setup.py
	@$(PYTHON) tools/setup.py python
	@touch .venv/.run $@

node_modules/.stamp: .venv/.stamp package.json package-lock.json
	@.venv/bin/python tools/setup.py node
	@touch $@

.PHONY: artifacts
artifacts: setup ## compile the contracts into dem/chain/contracts.json.gz, if they have changed
	@python tools/artifacts.py renew

.PHONY: build
build: setup ## ape's own record of the compiled contracts, for its console and plugins; nothing here needs it
	$(SAY) 'ape compile, a minute or two the first time'
	@ape compile --verbosity WARNING

# --- use --------------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: .venv/.run ## play one day of a village on a chain inside the process, results in out/
	@python tools/artifacts.py current || $(MAKE) artifacts
	$(SAY) 'demo: scenarios/rural-sunday -> out/rural-sunday'
	@ape run day scenarios/rural-sunday --out out/rural-sunday --network ethereum:local:test

.PHONY: live live-stop live-status
live: setup ## start a whole market on this machine, every role a process, or what of it was killed
	@dem live start

live-stop: setup ## end all of its processes
	@dem live stop

live-status: setup ## show them, and how far the days are
	@dem live status

.PHONY: devnet devnet-stop devnet-status devnet-logs
devnet: setup .geth/geth ## start a permissioned chain of four nodes on this machine, or what of it does not run
	@python -m dem.devnet start

devnet-stop: setup ## stop its nodes; they keep the chain
	@python -m dem.devnet stop

devnet-status: setup ## show its nodes
	@python -m dem.devnet status

devnet-logs: ## follow what its nodes print
	@tail -n 5 -F .devnet/node-*/geth.log

# The last go-ethereum with Clique. Go from 1.23 on asks for the flag, older ones do not know it.
GETH := github.com/ethereum/go-ethereum/cmd/geth@v1.13.15
GO ?= $(firstword $(wildcard $(shell command -v go)) $(wildcard /usr/local/go/bin/go))
.geth/geth:
	@test -n '$(GO)' || { echo 'devnet: go-ethereum is built with Go 1.21 or newer: install it (https://go.dev/dl) or name it (make GO=...)'; exit 2; }
	$(SAY) 'go install $(GETH), a few minutes the first time'
	@export GOBIN=$(CURDIR)/.geth; $(GO) install -ldflags=-checklinkname=0 $(GETH) || $(GO) install $(GETH)

# --- tests ------------------------------------------------------------------------------------------------------------

.PHONY: test compile test-forge test-model test-chain test-commands
test: artifacts ## run all tests
	@# Side by side: commands and chains wait for nodes half of the time, and forge's compiler has one core.
	@$(MAKE) -j 4 compile test-chain test-commands test-model
	@$(MAKE) test-forge

# Forge's tests deploy the contracts as the package has them: `make check` compiles all of them, and compares.
FORGE_TEST := FOUNDRY_PROFILE=tests CONTRACTS=.forge/contracts forge test --match-path 'tests/forge/*'
compile: artifacts
	@python tools/artifacts.py unpack
	@$(FORGE_TEST) --list >/dev/null

test-forge: compile ## numbers: unit, fuzz and invariant tests in Solidity
	$(SAY) 'forge: tests/forge'
	@rm -rf .forge/gas
	@GAS_OUT=$(CURDIR)/.forge/gas $(FORGE_TEST)
	@python tools/gas.py compare

test-model: artifacts ## the reference model, alone and against the contracts (pyrevm)
	$(SAY) 'pytest: $(or $(PURE),tests/model)'
	@pytest -q -p no:ape_test -n 2 $(PURE) | sed -u 's/^/model     /'

test-chain: artifacts ## stories on a chain
	$(SAY) 'ape test: $(or $(CHAIN),tests/integration)'
	@ape test -q -n 2 $(CHAIN) | sed -u 's/^/chain     /'

# A group on one worker (tests/conftest.py), and in the order in which they are collected.
BY_GROUP := --dist loadgroup --no-loadscope-reorder

test-commands: artifacts ## the commands as typed, and a driver that is killed again and again
	$(SAY) 'pytest: $(COMMANDS)'
	@pytest -q -p no:ape_test -n 4 $(BY_GROUP) $(COMMANDS) | sed -u 's/^/commands  /'

# How much the long form does: actions of the stateful machine by 800, delivery days, sequences, contracts, kills.
LONG := DEM_RANDOM_RUNS=625 DEM_RANDOM_DAYS=20000 DEM_RANDOM_INTRADAY=10000 DEM_RANDOM_CONTRACTS=1000 DEM_KILLS=30 DEM_EVERY_SCENARIO=yes \
	DEM_RANDOM_GAPS=20000 DEM_WITHHOLDING=2000
LONG_TESTS := tests/stateful tests/differential tests/scripts/test_without_chain.py tests/scripts/test_interruption.py \
	tests/model/test_withholding.py
.PHONY: test-long
test-long: artifacts ## the random runs in their long form, an hour or so
	$(SAY) 'pytest: $(LONG_TESTS), $(LONG)'
	@$(LONG) pytest -q -p no:ape_test -n 2 $(LONG_TESTS)

.PHONY: test-devnet
test-devnet: artifacts .geth/geth ## days in real time on a network of four nodes, with failures (needs Go, minutes)
	$(SAY) 'pytest: $(DEVNET)'
	@rm -f out/devnet/recovery.csv
	@pytest -q -p no:ape_test -n 2 --dist loadgroup $(DEVNET)
	@cat out/devnet/recovery.csv

.PHONY: test-live
test-live: artifacts ## a live market in real time, each service of it killed once (minutes)
	$(SAY) 'pytest: $(LIVE)'
	@pytest -q -p no:ape_test $(LIVE)

.PHONY: test-web screenshots
test-web: setup ## the console in a browser (installs playwright, and chromium where apt-get can)
	@python tools/setup.py web
	$(SAY) 'pytest: $(WEB)'
	@pytest -q -p no:ape_test $(WEB)

screenshots: setup ## pictures of the console for docs, from a day played on a chain (make demo)
	@python tools/setup.py web
	@test -f out/rural-sunday/events.jsonl || $(MAKE) demo
	@PYTHONPATH=. python tools/screenshots.py out/rural-sunday docs/pictures

.PHONY: coverage
coverage: artifacts ## line and branch coverage of contracts and package
	$(SAY) 'forge coverage: contracts'
	@mkdir -p coverage
	@forge coverage --ir-minimum --no-match-coverage '^tests/' --report summary --report lcov --report-file coverage/contracts.lcov
	$(SAY) 'pytest-cov: dem'
	@rm -f .coverage
	@pytest -q -p no:ape_test -n 2 --cov --cov-report= $(PURE)
	@ape test -q $(CHAIN) --cov --cov-append --cov-report=
	@coverage lcov -q -o coverage/dem.lcov && coverage report

.PHONY: bench-throughput bench-gateway bench-growing bench-study bench-network bench-bilateral bench-gas bench-intraday bench-clearing bench-clear bench-day bench-model-day bench-incentives bench-rules bench-year bench-grid bench-pages bench-start vectors
bench-gas: compile ## measure the gas of a market day with 10, 100 and 1,000 participants, write bench/gas.*
	$(SAY) 'forge: GasTest -> bench'
	@rm -rf .forge/gas
	@GAS_OUT=$(CURDIR)/.forge/gas GAS_ALL=yes $(FORGE_TEST) --match-contract '^GasTest'
	@python tools/gas.py write

bench-bilateral: artifacts ## measure the gas of bilateral contracts over a day and over a year, write bench/bilateral.*
	$(SAY) 'bench/bilateral.py'
	@python bench/bilateral.py
bench-intraday: compile ## measure the gas of intraday orders in books of 10, 1,000 and 10,000, write bench/intraday.*
	$(SAY) 'forge: IntradayGasTest -> bench'
	@rm -rf .forge/gas
	@GAS_OUT=$(CURDIR)/.forge/gas GAS_ALL=yes $(FORGE_TEST) --match-contract IntradayGasTest
	@python tools/gas.py write-intraday

bench-clearing: setup ## clear books beside other packages, each in an environment of its own, write bench/clearing.*
	$(SAY) 'bench/clearing.py'
	@python bench/clearing.py

bench-clear: artifacts ## clear books of up to 50,000 orders by the contracts and by the model, write bench/clear.*
	$(SAY) 'bench/clear.py'
	@python bench/clear.py 1000 10000 50000

bench-day: artifacts ## play a whole day of 100, 1,000 and 10,000 participants on anvil, write bench/day.*
	$(SAY) 'bench/day.py'
	@python bench/day.py 100 1000 10000

bench-model-day: setup ## play days by the reference model alone, write bench/model_day.*
	$(SAY) 'bench/model_day.py'
	@python bench/model_day.py

bench-study: setup ## play studies in one process, in two and by Dask, and assume-framework beside, write bench/study.*
	$(SAY) 'bench/study.py'
	@python bench/study.py

bench-incentives: setup ## look for what dishonest ways bring, under every pricing, write bench/incentives.*
	$(SAY) 'bench/incentives.py'
	@python bench/incentives.py

bench-rules: setup ## measure candidates for the default rules by five criteria, write bench/rules.*
	$(SAY) 'bench/rules.py'
	@python bench/rules.py

bench-year: artifacts ## play a year of the village in one run on anvil, write bench/year.*
	$(SAY) 'bench/year.py'
	@python bench/year.py

bench-grid: setup ## power flows and limits beside pandapower and the least cut, write bench/grid.*
	$(SAY) 'bench/grid.py'
	@OMP_NUM_THREADS=1 uv run --quiet --isolated --locked --all-extras --group extract bench/grid.py

bench-pages: setup ## the processor's milliseconds and the bytes of each page with 1,500 households, write bench/pages.md
	$(SAY) 'bench/pages.py'
	@PYTHONPATH=.:tests:bench python -P bench/pages.py

bench-start: setup ## the processor's seconds until a command begins, write bench/start.md
	$(SAY) 'bench/start.py'
	@python bench/start.py

bench-gateway: artifacts ## a gateway under load, beside a bare relayer, write bench/gateway.*
	$(SAY) 'bench/gateway.py'
	@python bench/gateway.py

bench-growing: artifacts ## what one feeder costs while there are 1, 10 and 100 on its chain, write bench/growing.*
	$(SAY) 'bench/growing.py'
	@python bench/growing.py

bench-throughput: artifacts ## accepted orders a second on a node of its own, write bench/throughput.*
	$(SAY) 'bench/throughput.py'
	@python bench/throughput.py

bench-network: artifacts .geth/geth ## accepted orders a second and seconds to a block, on four nodes and on one, write bench/network.*
	$(SAY) 'bench/network.py'
	@python bench/network.py

vectors: setup ## write tests/vectors anew from the model
	@PYTHONPATH=tests python -m support.model.vectors

# --- quality ----------------------------------------------------------------------------------------------------------

.PHONY: check check-python check-contracts
check: check-python check-contracts ## formatting, lints, types, layers, slither, contract sizes

check-python: setup ## ruff, mypy, import-linter, prose, catalogues, vendored scripts
	$(SAY) 'ruff, mypy, import-linter, prose'
	@ruff format --check .
	@ruff check .
	@mypy
	@lint-imports --no-logo
	@python tools/prose.py
	@python tools/natspec.py
	@python tools/catalogues.py check
	@python tools/vendor.py check

check-contracts: setup ## forge fmt, solhint, slither, bytecode and sizes
	$(SAY) 'forge fmt, solhint'
	@forge fmt --check contracts $(wildcard tests/forge)
	@solhint --disc --noPoster --max-warnings 0 'contracts/**/*.sol'
	$(SAY) 'forge build, slither'
	@# Compiled from nothing.
	@rm -rf .forge/out .forge/cache
	@forge build contracts
	@slither . --config-file slither.config.json
	$(SAY) 'artifacts'
	@python tools/artifacts.py check

.PHONY: format
format: setup ## format Python and Solidity
	@ruff check --fix --exit-zero --quiet .
	@ruff format .
	@forge fmt contracts $(wildcard tests/forge)

# --- clean ------------------------------------------------------------------------------------------------------------

.PHONY: clean distclean
clean: ## remove what builds, tests and runs made
	@rm -rf .build .forge .solcx/cache out coverage .coverage* .hypothesis .*_cache
	@find contracts dem scripts tests tools -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean ## ... and the tools
	@rm -rf .venv node_modules .solcx .geth
