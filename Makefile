# Each target sets itself up and leaves nothing running.  Python >= 3.11 with
# venv is all that is needed beforehand; PYTHON names another interpreter.
PYTHON ?= python3
TOX = .venv/bin/tox run

.PHONY: bench demo documents test test-full clean

# DEMO=--standalone or DEMO=--sealed shows the gateway as a service of its own.
demo: .venv/installed
	.venv/bin/python -m tests.support.leftovers .venv/bin/python -m tests.demo $(DEMO)

test: .venv/installed
	@$(PYTHON) tests/packages.py
	$(TOX)-parallel --parallel 4 --parallel-live -e pep8,docs,unit,environments
	.venv/bin/tox exec -e unit --skip-pkg-install -- python -m tests.runner default

# All tests, those of make test too; PART=faults runs some of them alone.
test-full: .venv/installed
	@$(PYTHON) tests/packages.py --full
	$(TOX) -e full -- $(PART)

bench: .venv/installed
	@$(PYTHON) tests/packages.py --full
	$(TOX) -e bench

# The documents that the project starts from; DOCUMENT=minio follows some of them.
documents: .venv/installed
	@$(PYTHON) tests/packages.py --full
	$(TOX) -e documents -- $(DOCUMENT)

clean:
	rm -rf .venv .tox .envs .bare

.venv/installed: requirements.txt
	@echo "building .venv (tox, uv, boto3, psutil)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Glance 33 needs Python 3.11 or newer; PYTHON=python3.11 names another")'
	@test -d .venv || rm -f .venv  # a file by which tox names an environment of its own
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check 'tox>=4.11' uv boto3 psutil
	@.venv/bin/uv pip install --quiet --python .venv/bin/python tox-uv || \
		echo "uv does not reach the packages; tox stays with pip, which is slower"
	touch $@
