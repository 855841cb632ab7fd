# LiGAN. `make run` starts everything on this machine, `make test` runs the tests; both set up what is missing first.
# torch comes from pip as constraints.txt pins it; another build installed into .venv before is kept if it fits.
PORT ?= 7022
PYTHON ?=
CONFIG ?=
STATE_DIR ?= state
BIN := .venv/bin
WEBUI_SOURCES := $(shell find webui -type f -not -path 'webui/node_modules/*' -not -path 'webui/.cache/*' 2>/dev/null)

# What modules, batch jobs and shells leave behind that would lead Python, pip, npm and cd astray
unexport PYTHONHOME PYTHONPATH PYTHONOPTIMIZE PYTHONWARNINGS NODE_ENV CDPATH
export PIP_USER := 0

# A .venv knows its folder and its Python: in a checkout that was moved or copied it would run the one before
MOVED := $(if $(wildcard .venv/bin),$(shell [ -x .venv/bin/python ] && { [ ! -e .venv/bin/activate ] || \
  grep -qF -e "$$PWD/.venv" -e "$$(pwd -P)/.venv" -e "$$(readlink -f .venv)" .venv/bin/activate; } || echo moved))

.PHONY: run test bench faults attack setup webui wheel images cluster-test docs clean help moved writable

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##\(.*\)/  make \1\t\2/p' Makefile

run: .venv/.installed frontend_server/static/.built  ## start the whole system here; PORT=7022 STATE_DIR=state CONFIG=site.toml
	@exec $(BIN)/ligan up --port $(PORT) --state-dir $(STATE_DIR) $(if $(CONFIG),--config $(CONFIG))

test: writable .venv/.installed  ## lint, types and all tests
	@$(MAKE) --silent --jobs=2 .venv/.tested frontend_server/static/.built
	@$(BIN)/python .ci/steps

bench: .venv/.tested frontend_server/static/.built  ## every benchmark, one after the other
	@for script in benchmarks/*.py; do case $$script in */_*) ;; *) echo "== $$script"; $(BIN)/python $$script || exit 1;; esac; done

faults: .venv/.tested frontend_server/static/.built  ## break everything, and count what was lost: build/faults.json; ROWS='squeue-*' for some
	@$(BIN)/python -m tests.faults --only '$(or $(ROWS),*)' --json build/faults.json

attack: .venv/.tested frontend_server/static/.built  ## try to get in and to break it: build/attack.json; FAMILIES='c*' for some
	@$(BIN)/python -m tests.attack --only '$(or $(FAMILIES),*)' --json build/attack.json

setup: .venv/.installed frontend_server/static/.built  ## install everything that is missing
webui: frontend_server/static/.built  ## build the web UI
wheel: setup  ## dist/ligan-VERSION.whl: all in one, for pipx install
	@scripts/build-wheel

images: .venv/.installed frontend_server/static/.built  ## Apptainer images of both servers: build/images; BASE=debian or docker
	@scripts/build-images --base $(or $(BASE),auto)

cluster-test: .venv/.tested images  ## the main job in those images on a real Slurm cluster made here, with times; root
	@$(BIN)/python -m tests.system.cluster_test

docs: .venv/.documented  ## the documents as a site: build/site/index.html
	@rm -rf build/site
	@$(BIN)/python -m sphinx -q -W --keep-going -E -b html -d build/doctrees docs build/site

writable:
	@[ -w . ] || { echo "make test: this folder is another user's; run the tests in a clone: git clone $(CURDIR)" >&2; exit 1; }

moved:
	@echo "setup: .venv is of another folder, or of a Python that is gone: it is made anew"
	@rm -rf .venv

.venv/.installed: setup.py constraints.txt model_parts.txt scripts/setup-python $(MOVED)
	@PYTHON="$(PYTHON)" scripts/setup-python

.venv/.tested: .venv/.installed
	@echo "setup: what the tests need"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[backend,test]'
	@touch $@

.venv/.documented: .venv/.installed
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

frontend_server/static/.built: $(WEBUI_SOURCES) scripts/setup-webui scripts/use-node | .venv/.installed
	@scripts/setup-webui

clean:  ## forget everything that was set up or built
	rm -rf .venv webui/node_modules frontend_server/static build ligan.egg-info
