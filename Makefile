# make test      what must be true before a change goes in; under 10 minutes on 2 cores
# make soak      the long counted proofs in full: every kill, every visitor
# make bench     the figures: how fast, how large
# make conformance   the suites that every provider and every database passes
# make build     the one binary

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: test soak bench conformance build tools fmt vet staticcheck race

# With MAITRED_REQUIRE=all a test that cannot run fails, where it would say so
# and be left out. `make tools` says what is missing.
PARALLEL ?= 2

test: tools fmt vet staticcheck race

tools:
	@.ci/tools

fmt:
	@found="$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go' | xargs ls 2>/dev/null))"; \
	if [ -n "$$found" ]; then echo "gofmt would change:"; echo "$$found"; exit 1; fi

vet:
	go vet ./...

staticcheck:
	go tool staticcheck ./...

# The race detector needs a C compiler; without one the tests run without it.
race:
	@race=-race; command -v "$${CC:-gcc}" >/dev/null || { race=; echo "!! no C compiler: the tests run WITHOUT the race detector"; }; \
	set -x; go test $$race -p $(PARALLEL) -timeout 9m ./...

soak: tools
	MAITRED_SOAK=1 go test -count=1 -p 1 -v -timeout 3h -run 'Kill|Cuts|Visitors|NoRequestFails|NoCard|TypesItsWholeLine|OutputIsShown|NothingFromOutside' \
		./platform/engine ./platform/host ./store/... ./bot/... ./cmd/maitred

bench: tools
	go test -run '^$$' -bench . -p 1 -timeout 30m ./store ./bot/... ./platform/engine ./cmd/maitred

conformance: tools
	@echo "Conformance: the host and Heroku providers and the scriptable fake pass platform/platformtest;"
	@echo "the store passes store/storetest on SQLite and on PostgreSQL; the fake Slack is played by @slack/bolt,"
	@echo "and the fake Heroku by the official CLI."
	go test -count=1 -p $(PARALLEL) -timeout 9m -run 'Conformance|Fake|^TestSQLite$$|^TestPostgres$$|Webchat' ./platform/host ./platform/heroku ./platform/platformtest ./store
	bot/slack/slacktest/conformance/run
	platform/heroku/herokutest/conformance/run

build:
	CGO_ENABLED=0 go build -trimpath -o bin/maitred ./cmd/maitred
