# kerb: two commands matter. `make demo` runs the main job, `make test` the tests.

export CGO_ENABLED := 0
OUT := out
GO := go
RELEASE ?=
BUILD := $(GO) build -trimpath -buildvcs=auto -ldflags '-s -w -X main.release=$(RELEASE)'

.PHONY: demo build test check lint arch unit race modules vm vm-walls vm-cameras walls-cost e2e footage bench bench-neural bench-sources cross deb package image image-twice image-vm update systemd spool wire cameras soak fuse cluster aim accuracy fuzz reproducible clean

demo: build
	$(OUT)/kerb demo -for 30s

build:
	$(BUILD) -o $(OUT)/kerb ./agent

test:
	$(GO) test ./...

# What a stranger's machine runs before a change is believed.
check: lint arch test race modules vm cross package

lint:
	@fmt="$$($(GO) tool gofumpt -l .)"; [ -z "$$fmt" ] || { echo "not formatted by gofumpt:"; echo "$$fmt"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

arch:
	$(GO) test -count=1 ./test/arch

unit:
	$(GO) test -short ./agent/... ./configs/... ./counting/... ./drivers/...

# The race detector needs cgo. The walls are not built for it: they leave
# themselves out and are tested without.
race:
	CGO_ENABLED=1 $(GO) test -race -short ./agent/... ./counting ./counting/loop ./counting/vision/... ./drivers/camera ./drivers/camera/luma ./drivers/loop/... ./drivers/lamp

# Tests whose heavy libraries must not be in the binary's go.sum.
modules:
	cd test/oracle && $(GO) test -count=1 ./...
	cd test/fuse && $(GO) test -count=1 ./...
	cd test/nats && $(GO) test -count=1 ./...
	cd test/aim && $(GO) test -count=1 ./...
	cd firmware-notes/package && $(GO) vet ./...
	cd firmware-notes/image && GOARCH=arm64 $(GO) test -count=1 -exec qemu-aarch64-static ./pole

# Loops and walls in a real kernel. The kernel is fetched once and kept.
VM ?= $(OUT)/vm
vm:
	test/vm/prepare $(VM)
	KERB_VM=$(abspath $(VM)) $(GO) test -count=1 ./test/vm

# All of kerb prove in four kernels: with and without Landlock, amd64 and arm64.
vm-walls:
	test/vm/prepare $(VM) arm64
	KERB_LONG=1 KERB_VM=$(abspath $(VM)) $(GO) test -count=1 -timeout 150m -v -run Walls ./test/vm

# A camera of a real kernel: published to a broker outside the machine, each fault
# twenty times, and what it costs beside ffmpeg and motion.
vm-cameras:
	test/vm/prepare $(VM)
	KERB_LONG=1 KERB_VM=$(abspath $(VM)) $(GO) test -count=1 -timeout 120m -v -run Camera ./test/vm

# Memory and processor of kerb run's processes beside all of it in one.
walls-cost:
	KERB_LONG=1 $(GO) test -count=1 -v -run WhatTheWallsCost ./agent

e2e:
	$(GO) test -count=1 ./test/e2e/... ./test/script/... ./test/notes

footage:
	$(GO) test -count=1 -v ./test/footage

bench: build
	test/bench/run

# Each source path beside ffmpeg and motion at the same job, and how long a
# picture waits.
bench-sources:
	KERB_LONG=1 $(GO) test -count=1 -v -run 'WhatEachSourceCosts|HowLongAPictureWaits' ./agent

bench-neural:
	test/bench/neural.sh

# Static binaries for the boards; the arm ones are started under emulation.
cross:
	GOOS=linux GOARCH=amd64 $(BUILD) -o $(OUT)/kerb-linux-amd64 ./agent
	GOOS=linux GOARCH=arm64 $(BUILD) -o $(OUT)/kerb-linux-arm64 ./agent
	GOOS=linux GOARCH=arm GOARM=6 $(BUILD) -o $(OUT)/kerb-linux-armv6 ./agent
	test/cross $(OUT)

# Debian packages for amd64, arm64 and armhf, in out/.
deb: cross
	cd firmware-notes/package && $(GO) run . -version '$(RELEASE)'

# The SD-card image for Raspberry Pi 3, 4, 5 and Zero 2 W.
image: cross
	cd firmware-notes/image && $(GO) run . -kerb ../../$(OUT)/kerb-linux-arm64 -out ../../$(OUT)/kerb.img

# A newer system for the spare slot, and the update.json to sign.
update: cross
	mkdir -p $(OUT)/update
	cd firmware-notes/image && $(GO) run . -root -kerb ../../$(OUT)/kerb-linux-arm64 -out ../../$(OUT)/update/system.squashfs

# Two images of one commit, compared.
image-twice: cross
	test/image/twice $(OUT)/kerb-linux-arm64

# The same image for a virtual machine, booted: wrong files, updates, and three
# power cuts, fifty with KERB_LONG=1. Half an hour, two with it.
image-vm: cross
	test/image/prepare $(OUT)/image $(OUT)/kerb-linux-arm64
	KERB_IMAGE=$(abspath $(OUT)/image) $(GO) test -count=1 -v -timeout 4h ./test/image

# Made twice and compared, and held against lintian; with KERB_LONG=1 installed,
# upgraded and purged in a Debian of its own.
package:
	test/package $(if $(KERB_LONG),$(OUT)/chroot)

# The package for arm64 in a Debian under systemd, in a virtual machine. Its
# upgrade is to the same program under a higher number.
systemd: deb
	test/systemd/prepare $(OUT)/systemd
	cd firmware-notes/package && $(GO) run . -version 1.0
	test/systemd/run $(OUT)/systemd $$(ls -t $(OUT)/kerb_0*_arm64.deb | head -n 1) $(OUT)/kerb_1.0_arm64.deb

# The long forms of the tests that kill, cut and starve; hours on a busy machine.
spool:
	KERB_LONG=1 $(GO) test -count=1 -timeout 60m -v ./test/powercut
	$(GO) test -count=1 -run Model -v ./agent/store -rapid.checks=10000

wire:
	KERB_LONG=1 $(GO) test -count=1 -timeout 30m -v ./agent/uplink ./test/e2e

# Every kind of camera, cut, stalled, garbled and restarted twenty times.
cameras:
	KERB_LONG=1 $(GO) test -count=1 -timeout 60m -v -run TestEverySourceComesBack ./agent

# Half an hour of faults in cameras of every kind: nothing may grow.
soak:
	KERB_LONG=1 $(GO) test -count=1 -timeout 60m -v -run 'HalfAnHour|ALeak' ./agent

fuse:
	cd test/fuse && KERB_LONG=1 $(GO) test -count=1 -v ./...

cluster:
	cd test/nats && KERB_LONG=1 $(GO) test -count=1 -v ./...

# The commissioning page in Chromium; the screenshots are left in SHOTS.
SHOTS ?= $(OUT)/shots
aim:
	mkdir -p $(SHOTS)
	cd test/aim && KERB_SHOTS=$(abspath $(SHOTS)) $(GO) test -count=1 -v ./...

# What clearing costs: a simulated week and the clips, true against released.
accuracy:
	$(GO) test -count=1 -v ./test/accuracy

FUZZTIME ?= 1m
fuzz:
	test/fuzz $(FUZZTIME)

# Two builds from two folders, compared.
reproducible:
	test/reproducible

clean:
	rm -rf $(OUT)
