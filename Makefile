# kerb: two commands matter. `make demo` runs the main job, `make test` the tests.

export CGO_ENABLED := 0
OUT := out
GO := go
RELEASE ?=
BUILD := $(GO) build -trimpath -buildvcs=auto -ldflags '-s -w -X main.release=$(RELEASE)'

.PHONY: demo build test check lint arch unit race e2e footage bench cross fuzz clean

demo: build
	$(OUT)/kerb demo -for 30s

build:
	$(BUILD) -o $(OUT)/kerb ./agent

test:
	$(GO) test ./...

# What a stranger's machine runs before a change is believed.
check: lint arch test race cross

lint:
	@fmt="$$($(GO) tool gofumpt -l .)"; [ -z "$$fmt" ] || { echo "not formatted by gofumpt:"; echo "$$fmt"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

arch:
	$(GO) test ./test/arch

unit:
	$(GO) test -short ./agent/... ./counting/... ./drivers/...

# The detector needs cgo; the pixel loops are left to their own tests, which
# run the same bands on two workers.
race:
	CGO_ENABLED=1 $(GO) test -race -short ./agent/... ./counting ./counting/vision/... ./drivers/...

e2e:
	$(GO) test -count=1 ./test/e2e/... ./test/script/...

footage:
	$(GO) test -count=1 -v ./test/footage

bench: build
	test/bench/run

# Static binaries for the boards; the arm64 one is started under emulation.
cross:
	GOOS=linux GOARCH=amd64 $(BUILD) -o $(OUT)/kerb-linux-amd64 ./agent
	GOOS=linux GOARCH=arm64 $(BUILD) -o $(OUT)/kerb-linux-arm64 ./agent
	GOOS=linux GOARCH=arm GOARM=6 $(BUILD) -o $(OUT)/kerb-linux-armv6 ./agent
	test/cross $(OUT)

FUZZTIME ?= 1m
fuzz:
	test/fuzz $(FUZZTIME)

clean:
	rm -rf $(OUT)
