# The two commands of the README: `make demo` and `make test`. Needs Python 3.11+ and make.

PYTHON ?= python3
PORT ?= 5000
DEMO_SPEED ?= 1
# Workers of the tests: one more than the cores have, as many tests wait for other processes.
CORES := $(shell nproc 2>/dev/null || echo 2)
TESTERS ?= $(shell echo $$(($(CORES) + 1)))

BIN := .venv/bin
# Every command here finds app.py and the settings in this folder, wherever make was called from.
export FLASK_APP := app.py
# Compiled code is kept, or each worker and each process of the tests would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE
# Two of the demo's people can't be reached, so that its results show what that looks like.
DEMO_REFUSES := +16475550130 +19055550117
DEMO := ROLLCALL_DEMO=on ROLLCALL_SCHEDULER=on ROLLCALL_SIMULATOR_REFUSES="$(DEMO_REFUSES)" \
	DEMO_SPEED=$(DEMO_SPEED)

.PHONY: demo demo-reset run install install-dev quick test test-some-days test-any-day check format lock bench chaos help

help: ## Show the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: install ## Load the demo organisation and serve it; both campaigns go out within two minutes.
	@$(DEMO) $(BIN)/flask db upgrade
	@$(DEMO) $(BIN)/flask demo run --port $(PORT)

demo-reset: install ## Delete the demo's data, so that the story can start over.
	@$(DEMO) $(BIN)/flask demo reset

run: install .env ## Serve a real, at first empty installation, with its scheduler.
	@$(BIN)/flask db upgrade
	@ROLLCALL_SCHEDULER=on $(BIN)/flask serve --port $(PORT)

.env:
	@umask 077 && $(PYTHON) -c "import secrets; print('SECRET_KEY=' + secrets.token_hex(32))" > .env
	@echo "Wrote a new SECRET_KEY to .env; keep that file."

install: .venv/installed ## Install what the application needs into .venv.

install-dev: .venv/installed-dev ## Install what the tests and checks need as well.

.venv/bin/uv: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Rollcall needs Python 3.11 or newer; name it with make PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

.venv/installed: requirements.lock .venv/bin/uv
	@test -e .venv/installed-dev || $(BIN)/uv pip sync -q --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@touch $@

.venv/installed-dev: requirements-dev.lock .venv/bin/uv
	@$(BIN)/uv pip sync -q --compile-bytecode --python $(BIN)/python --require-hashes requirements-dev.lock
	@touch $@ .venv/installed

test: install-dev ## Run every test, on SQLite and on PostgreSQL what opens a database.
	$(BIN)/pytest -q -n $(TESTERS) --dist worksteal --durations=15 --database both

quick: install-dev ## Run what needs a minute: SQLite, no browser, no gateways, no other processes.
	$(BIN)/pytest -q -n $(CORES) --dist worksteal -m "not browser and not processes and not thorough"

# What depends most on the day: sessions, wall-clock times, quiet hours, processes.
SOME_TESTS := tests/web/test_quiet_hours.py tests/web/test_event_changes.py tests/web/test_sessions.py \
	tests/web/test_event_pages.py tests/cli/test_story.py tests/cli/test_quiet_hours.py \
	tests/api/test_quiet_hours.py tests/accounts/test_invitations.py tests/sending/test_processes.py \
	tests/test_walltime.py

test-some-days: install-dev ## Run a few of the tests on three of those days.
	$(BIN)/python -m tests.moved_clock --days fall-back new-year in-five-years -- \
		-n $(TESTERS) --dist worksteal $(SOME_TESTS)

test-any-day: install-dev ## Run the tests with the clock moved to days that are hard (an hour).
	$(BIN)/python -m tests.moved_clock -- -n $(TESTERS) --dist worksteal

check: install-dev ## Run the linters, the type checker, the import rules and the migration check.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

format: install-dev ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: .venv/bin/uv ## Lock the dependencies anew, from pyproject.toml.
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

chaos: install-dev ## Kill processes while they send, against real gateways, on both databases (minutes).
	$(BIN)/python -m tests.chaos.storm
	ROLLCALL_TEST_WORLDS=10 $(BIN)/pytest -q -n $(CORES) tests/explanations/test_histories.py
	ROLLCALL_TEST_RACES=1000 ROLLCALL_TEST_WRITERS_SECONDS=60 \
		$(BIN)/pytest -q tests/sending/test_failing_databases.py --database sqlite
	ROLLCALL_TEST_RACES=1000 ROLLCALL_TEST_WRITERS_SECONDS=60 \
		$(BIN)/pytest -q tests/sending/test_failing_databases.py --database postgresql

bench: install-dev ## Measure audiences, segments and sending on both databases.
	$(BIN)/python -m benchmarks.audience
	$(BIN)/python -m benchmarks.segments
	$(BIN)/python -m benchmarks.sending
