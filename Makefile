# fineshyt: `make run` starts it, `make test` tests it. Both do all the set-up that they need.
SHELL := /bin/bash
TORCH ?= cpu
export TORCH
WORKERS ?= 2
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

.PHONY: run setup setup-test test test-full lint bench screenshots export backup restore clean
.PHONY: compose compose-init compose-build compose-up compose-down compose-logs compose-test compose-export compose-backup reset

run: setup                ## set up, start everything, open the gallery
	.venv/bin/fineshyt up

setup:                    ## .venv with the command .venv/bin/fineshyt
	@scripts/setup run

setup-test:
	@scripts/setup test

test: setup-test          ## what CI runs, two files at a time: a quarter of an hour. WORKERS=0 runs one test after the other
	.venv/bin/python -m pytest -m "not slow" --numprocesses $(WORKERS)

test-full: setup-test     ## everything, the long ones too
	.venv/bin/python -m pytest

lint: setup-test          ## ruff, mypy, the doors between the rooms
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: setup-test         ## figures beside their limits; writes bench-results/bench.json
	.venv/bin/python scripts/bench.py $(PARTS)

screenshots: setup-test   ## every place at three widths, light and dark, and the guides' pictures: make screenshots LIBRARY=DIR
	@test -n "$(LIBRARY)" || { echo "Say of which photographs: make screenshots LIBRARY=/path/to/folder" >&2; exit 2; }
	.venv/bin/python scripts/screenshots.py "$(LIBRARY)" docs/screenshots docs/guides/images

export: setup             ## make export TARGET=DIR
	@test -n "$(TARGET)" || { echo "Say where to: make export TARGET=/path/to/folder" >&2; exit 2; }
	.venv/bin/fineshyt export --target "$(TARGET)"

backup: setup             ## make backup [TARGET=DIR] [KEEP=N]: one proved file of stars, scores and history
	.venv/bin/fineshyt backup $(if $(TARGET),--to "$(TARGET)") $(if $(KEEP),--keep $(KEEP))

restore: setup            ## make restore FILE=BACKUP; never over an archive that has photographs
	@test -n "$(FILE)" || { echo "Say which: make restore FILE=/path/to/fineshyt-....zip" >&2; exit 2; }
	.venv/bin/fineshyt restore "$(FILE)"

clean:                    ## removes what set-up made; the home with your archive stays
	rm -rf .venv .runtime build *.egg-info .pytest_cache .mypy_cache .ruff_cache

# --- in containers: docs/compose.md ---------------------------------------------------------------------------------

# Compose asks for PHOTO_LIBRARY in every command; this is for those that mount nothing.
COMPOSE_AT_REST = PHOTO_LIBRARY="$${PHOTO_LIBRARY:-/photos}" $(COMPOSE)

compose: compose-init compose-up   ## prepare and start: PHOTO_LIBRARY=/path/to/pictures make compose

compose-init:             ## .env with passwords and your folder; the override file for several drives
	@scripts/compose-init

compose-build:            ## the three images
	$(COMPOSE_AT_REST) build

compose-up:               ## start everything in the background; SCALE="--scale embed=4" for more workers
	$(COMPOSE) up --detach $(SCALE)
	@echo "Gallery              http://$$($(COMPOSE) port web 4000)"
	@echo "RabbitMQ management  http://$$($(COMPOSE) port rabbitmq 15672)  (user fineshyt; its password: $(COMPOSE) exec rabbitmq cat /run/fineshyt/broker/password)"

compose-down:             ## stop everything; the archive stays in its volumes
	$(COMPOSE_AT_REST) down

compose-logs:             ## follow what every service says
	$(COMPOSE_AT_REST) logs --follow --tail=100

compose-export:           ## make compose-export TARGET=DIR
	@test -n "$(TARGET)" || { echo "Say where to: make compose-export TARGET=/path/to/folder" >&2; exit 2; }
	mkdir -p "$(TARGET)"
	$(COMPOSE) run --rm --no-deps -v "$(abspath $(TARGET)):/export" web fineshyt export --target /export

compose-backup:           ## make compose-backup TARGET=DIR
	@test -n "$(TARGET)" || { echo "Say where to: make compose-backup TARGET=/path/to/folder" >&2; exit 2; }
	mkdir -p "$(TARGET)"
	$(COMPOSE) run --rm --no-deps -v "$(abspath $(TARGET)):/backups" web fineshyt backup --to /backups

compose-test: setup-test  ## really: build, start, import, scale, kill a worker, export, take down
	COMPOSE_TEST=1 COMPOSE="$(COMPOSE)" .venv/bin/python -m pytest -v -s tests/deploy/test_compose_runs.py \
	    tests/deploy/test_kubernetes_broker.py

reset:                    ## removes the containers and every volume: your ratings too. Asks first
	@COMPOSE="$(COMPOSE)" scripts/compose-reset
