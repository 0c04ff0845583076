# fineshyt: `make run` starts it, `make test` tests it. Both do all the set-up that they need.
SHELL := /bin/bash
TORCH ?= cpu
export TORCH

.PHONY: run setup setup-test test test-full lint bench screenshots export clean

run: setup                ## set up, start everything, open the gallery
	.venv/bin/fineshyt up

setup:                    ## .venv with the command .venv/bin/fineshyt
	@scripts/setup run

setup-test:
	@scripts/setup test

test: setup-test          ## what CI runs; under ten minutes
	.venv/bin/python -m pytest -m "not slow"

test-full: setup-test     ## everything, the long ones too
	.venv/bin/python -m pytest

lint: setup-test          ## ruff, mypy, the doors between the rooms
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: setup-test         ## figures beside their limits; writes bench-results/bench.json
	.venv/bin/python scripts/bench.py $(PARTS)

screenshots: setup-test   ## every place at three widths, light and dark, into docs/screenshots: make screenshots LIBRARY=DIR
	@test -n "$(LIBRARY)" || { echo "Say of which photographs: make screenshots LIBRARY=/path/to/folder" >&2; exit 2; }
	.venv/bin/python scripts/screenshots.py "$(LIBRARY)" docs/screenshots

export: setup             ## make export TARGET=DIR
	@test -n "$(TARGET)" || { echo "Say where to: make export TARGET=/path/to/folder" >&2; exit 2; }
	.venv/bin/fineshyt export --target "$(TARGET)"

clean:                    ## removes what set-up made; the home with your archive stays
	rm -rf .venv .runtime build *.egg-info .pytest_cache .mypy_cache .ruff_cache
