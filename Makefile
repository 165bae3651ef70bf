# Thin front end of the CMake presets. `make help` lists the targets.
.DEFAULT_GOAL := release
SHELL := /bin/bash
DB ?= build/orders.db
PREFIX ?= /usr/local
SECONDS ?= 60
JOBS ?= $(shell nproc)
PRESETS ?= dev asan tsan

# Every target is a command.
.PHONY: $(shell sed -nE 's/^([a-z-]+( [a-z-]+)*):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## this list
	@echo 'make TARGET [NAME=VALUE…]; without a target: release'
	@sed -nE 's/^([a-z-]+)( [a-z ]+)?:.*## (.*)/  \1\2\t\3/p' $(MAKEFILE_LIST) | expand -t 26
	@echo 'JOBS=N: how many compilers at a time ($(JOBS) unless given)'

run: bootstrap release ## orders through the actors into SQLite; DATA=FILE.csv[.xz] DB=PATH ARGS="…"
	@build/release/apps/orders/orders run $(if $(DATA),--data '$(DATA)') --db '$(DB)' $(ARGS)

run-nodes: bootstrap release ## generated orders through three nodes on this machine; ORDERS=N DIR=build/nodes
	@tools/run_nodes build/release/apps/orders/orders '$(or $(DIR),build/nodes)' '$(or $(ORDERS),25900)'

kill-nodes: dev ## each of three nodes killed 30 times at random instants; KILLS=N
	@TROUPE_NODE_KILLS=$(or $(KILLS),30) ctest --preset dev -R 'e2e/test_nodes' --verbose --timeout 3600

bootstrap: ## install missing packages (asks before using sudo)
	@tools/bootstrap

release dev asan tsan: ## build with that preset into build/<preset>
	@cmake --preset $@ >/dev/null
	@cmake --build --preset $@ -j $(JOBS) -- --quiet
	@ln -sfn build/$@/compile_commands.json compile_commands.json

test: bootstrap ## build and run every test: plain, ASan+UBSan, TSan; PRESETS="…", TRIES=1
	@failed=; for preset in $(PRESETS); do \
	    echo "== $$preset"; \
	    $(MAKE) --no-print-directory $$preset && \
	    ctest --preset $$preset --output-junit junit.xml --repeat until-pass:$(or $(TRIES),1) || failed="$$failed $$preset"; \
	done; \
	$(MAKE) --no-print-directory bench-instructions || failed="$$failed bench-instructions"; \
	[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

fuzz: bootstrap dev ## fuzz every parser, SECONDS=60 each; findings stay in build/dev/tests/fuzz
	@for target in $$(ls build/dev/tests/fuzz/fuzz_* | grep -v '[.]'); do \
	    name=$${target##*fuzz_}; log=$$target.log; echo "== $$name"; \
	    tests/fuzz/run $$target tests/fuzz/corpus/$$name $(SECONDS) >$$log 2>&1 \
	        || { tail -n 60 $$log; exit 1; }; \
	    grep -E 'cov:.*DONE|number_of_executed|average_exec' $$log; \
	done

check: bootstrap ## formal rules: format, layers, headers, sizes, clang-tidy, cppcheck; FAST=1
	@tools/check $(if $(FAST),--fast)

format: ## lay out all sources by .clang-format
	@git ls-files -z -- '*.c' '*.h' '*.cpp' | xargs -0 clang-format -i

bench: release ## Troupe and its peers, interleaved; QUICK=1 in two minutes, ARGS="…"
	@tools/bootstrap --bench
	@bench/run $(if $(QUICK),--quick) $(ARGS)

bench-remote: release ## nodes against protoactor-go, Erlang, CAF io and TCP; QUICK=1 in two minutes, ARGS="…"
	@tools/bootstrap --bench
	@bench/remote/run $(if $(QUICK),--quick) $(ARGS)

bench-instructions: release ## instructions per message against the baseline; RECORD=1 rewrites it
	@bench/instructions $(if $(RECORD),--record)

docs: bootstrap ## reference, guides and tutorial as HTML into build/docs/html
	@tools/docs

interleave: dev ## every schedule of the lock-free parts under C11's memory, with the long bounds
	@TROUPE_INTERLEAVE_LONG=1 ctest --preset dev -L interleave --verbose --timeout 3600 | \
	    grep -E 'schedules|weakened|planted|outcomes|Passed|FAILED|NOT|tests passed|tests failed' ; \
	    test "$${PIPESTATUS[0]}" = 0

torture: bootstrap ## 100,000 faults in contained actors beside 10,000 healthy ones; ARGS="faults healthy loops"
	@cmake --preset release -B build/torture -DTROUPE_TESTS=ON >/dev/null
	@cmake --build build/torture -j $(JOBS) --target torture -- --quiet
	@build/torture/tests/torture $(ARGS)

bench-macro: release ## the order system against a bare loop; ROUNDS=7, CHECK=1 fails below the targets
	@bench/macro/run $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(CHECK),--check)

install: release ## install into PREFIX (default /usr/local), below DESTDIR
	@DESTDIR='$(DESTDIR)' cmake --install build/release --prefix '$(PREFIX)'

overload: release ## ten times the load that can be taken, for a minute: Troupe, CAF, Erlang; ARGS="…"
	@bench/overload/run $(ARGS)

sim: dev ## random histories in the simulator against an oracle; SEEDS=N (default 1000)
	@build/dev/tests/sim_core --seeds $(or $(SEEDS),1000)
	@build/dev/tests/sim/orders/sim_orders --seeds $(or $(SEEDS),1000)

sim-nodes: dev ## actors, and the order system, on simulated nodes and networks; SEEDS=N (default 3000)
	@build/dev/tests/sim_nodes --seeds $(or $(SEEDS),3000)
	@build/dev/tests/sim/pipeline/sim_pipeline --seeds $(or $(SEEDS),3000)

interop: dev ## real protoactor-go nodes, the long form: 1,000 resets of a link for every pair of nodes
	@TROUPE_INTEROP_LONG=1 ctest --preset dev -L interop --verbose --timeout 1200 | \
	    grep -vE 'warning: dead letter' ; test "$${PIPESTATUS[0]}" = 0

planted: ## bugs planted in the core and the order system, what finds them, the shortest schedules
	@cmake --preset planted >/dev/null
	@cmake --build --preset planted -j $(JOBS) --target sim_core sim_orders sim_pipeline -- --quiet
	@tools/planted build/planted/tests

# Left out: the branch of an assertion that fails, and what only the optimiser sees.
NOT_BRANCHES = TRI_ASSERT|TRI_UNREACHABLE|assert_fail
BRANCHES_MIN = 90
coverage: bootstrap ## branch coverage of base and core by their own tests; fails below 90%
	@cmake --preset coverage >/dev/null
	@cmake --build --preset coverage -j $(JOBS) -- --quiet
	@find build/coverage -name '*.gcda' -delete
	@ctest --preset coverage
	@mkdir -p build/coverage/html
	@echo "branches of lines with $(NOT_BRANCHES) are not counted"
	@gcovr --root . --filter src/base --filter src/core --exclude-throw-branches --branches --txt \
	    --exclude-branches-by-pattern '.*($(NOT_BRANCHES)).*' -j $(JOBS) \
	    --print-summary --json build/coverage/coverage.json \
	    --html-details build/coverage/html/index.html --fail-under-branch $(BRANCHES_MIN) \
	    build/coverage || { echo "below $(BRANCHES_MIN)% of the branches: see" \
	        "build/coverage/html/index.html" >&2; exit 1; }

clean: ## remove build/
	@rm -rf build compile_commands.json
