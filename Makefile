# make run: everything, from nothing to a console that runs. make test, make check, make bench: see README.md.
PY := .venv/bin/python
PYTHON ?=
TEMPLATES = $(shell find . \( -path ./.venv -o -path './.andon*' \) -prune -o -path '*/templates/*' -name '*.html' -print)

.PHONY: run install test check bench

run: install
	@exec $(PY) manage.py up

install: .venv/installed
	@$(PY) -m monitoring.native.build

.venv/installed: requirements.lock
	@set -e; \
	for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 none; do \
	  if [ $$python = none ]; then \
	    echo "Andon needs Python 3.11 or newer and found none. Install it, or name one: make $(or $(MAKECMDGOALS),run) PYTHON=/path/to/python3" >&2; exit 1; \
	  fi; \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
	done; \
	$$python -m install.environment $(PYTHON); \
	touch $@

test: install
	@$(PY) -m tests.browser
	@$(PY) -m pytest --ds tests.settings -n auto --dist loadfile

check: install
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@$(PY) -m mypy .
	@.venv/bin/lint-imports
	@.venv/bin/djade --check --target-version 5.2 $(TEMPLATES)
	@home=$$(mktemp -d); trap 'rm -rf "$$home"' EXIT; \
	ANDON_HOME="$$home" ANDON_SECURE=1 ANDON_DEBUG=0 $(PY) manage.py check --deploy --fail-level WARNING

bench: install
	@$(PY) -m bench
