# The two main commands: `make demo` runs the main job, `make test` runs the tests.
# RELEASE=1.2.0 sets the version of the binaries and packages (no leading v); without
# it they have the commit.

export CGO_ENABLED := 0
OUT := out
GO := go
RELEASE ?=
BUILD := $(GO) build -trimpath -buildvcs=auto -ldflags '-s -w -X main.release=$(RELEASE)'

.PHONY: demo build test full check lint arch unit race modules vm vm-walls vm-cameras walls-cost e2e footage truth scripted bench bench-neural bench-sources h264 cross binary-amd64 binary-arm64 binary-armhf deb package image image-twice image-vm update systemd access-point spool wire nodered kit relay-consumers relay-day cameras quirks soak silence fuse cluster fleet aim accuracy fuzz reproducible clean

demo: build
	$(OUT)/kerb demo -for 30s

build:
	$(BUILD) -o $(OUT)/kerb ./agent

# The tests of the program, in minutes on two cores. The long ones (clips, several
# processes and brokers, power cuts, fleets) are part of check.
LONG := test/e2e|test/footage|test/accuracy|test/powercut|test/fleet|test/relay|test/neural|test/scenes|test/broker|test/image|test/vm
test:
	$(GO) test -short -timeout 90m $$($(GO) list ./... | grep -Ev '^kerb/($(LONG))(/|$$)')

# Four at a time, since the tests of several processes wait more than they compute.
full:
	$(GO) test -timeout 90m -parallel 4 ./...

# All checks of a change, on a clean machine. .ci/run installs the tools for them. Two run
# side by side, since full waits for processes and brokers during half of its time.
check: lint arch
	$(MAKE) -j2 full race modules vm cross package

lint:
	@fmt="$$($(GO) tool gofumpt -l .)"; [ -z "$$fmt" ] || { echo "not formatted by gofumpt:"; echo "$$fmt"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags boxes ./counting/vision ./test/footage
	$(GO) tool staticcheck ./...

arch:
	$(GO) test -timeout 90m -count=1 ./test/arch

unit:
	$(GO) test -timeout 90m -short ./agent/... ./configs/... ./counting/... ./drivers/...

# The race detector needs cgo. With cgo the walls are left out of the build, so the
# race tests run without walls.
race:
	CGO_ENABLED=1 $(GO) test -timeout 90m -race -short ./agent/... ./counting ./counting/loop ./counting/vision/... ./drivers/camera ./drivers/camera/luma ./drivers/loop/... ./drivers/lamp

# Tests with large libraries, which have their own go.mod: these libraries must not be in
# the go.sum of the binary.
modules:
	cd test/oracle && $(GO) test -timeout 90m -count=1 ./...
	cd test/fuse && $(GO) test -timeout 90m -count=1 ./...
	cd test/nats && $(GO) test -timeout 90m -count=1 ./...
	cd test/aim && $(GO) test -timeout 90m -count=1 ./...
	cd test/est && $(GO) test -timeout 90m -count=1 ./...
	cd firmware-notes/package && $(GO) vet ./...
	cd firmware-notes/image && $(GO) test -timeout 90m -count=1 .
	cd firmware-notes/image && GOARCH=arm64 $(GO) test -timeout 90m -count=1 -exec qemu-aarch64-static ./pole

# Loops, a camera and walls in a real kernel, in a virtual machine. The kernel is
# downloaded once and kept in VM.
VM ?= $(OUT)/vm
vm:
	test/vm/prepare $(VM)
	KERB_VM=$(abspath $(VM)) $(GO) test -timeout 90m -count=1 ./test/vm

# All of kerb prove with four kernels: with and without Landlock, amd64 and arm64.
vm-walls:
	test/vm/prepare $(VM) arm64
	KERB_LONG=1 KERB_VM=$(abspath $(VM)) $(GO) test -count=1 -timeout 150m -v -run Walls ./test/vm

# A V4L2 camera in a real kernel. Counts go to a broker outside the virtual machine. Each
# fault is tried twenty times, and the cost is compared with ffmpeg and motion.
vm-cameras:
	test/vm/prepare $(VM)
	KERB_LONG=1 KERB_VM=$(abspath $(VM)) $(GO) test -count=1 -timeout 120m -v -run Camera ./test/vm

# Memory and processor time of the processes of kerb run, compared with one process.
walls-cost:
	KERB_LONG=1 $(GO) test -timeout 90m -count=1 -v -run WhatTheWallsCost ./agent

e2e:
	$(GO) test -timeout 90m -count=1 ./test/e2e/... ./test/script/... ./test/notes

footage:
	$(GO) test -timeout 90m -count=1 -v ./test/footage

# Where the counts differ from hand-made truth, per clip and per cause, over all clips for
# developing. REPORT=1 adds the sums of the clips on which nothing is tuned, LIST=1 every
# difference, BY=1 a table by light, size and company, SORT=1 a plain SORT tracker on the same boxes,
# DETECTORS=street-large,yolox chooses networks (default: street). A network runs once per clip; its boxes are kept in KERB_BOXES (default: kerb-boxes in the folder for temporary files).
DETECTORS ?=
RATES ?= 0,8
truth:
	KERB_REPORT=$(REPORT) KERB_LIST=$(LIST) KERB_BY=$(BY) KERB_SORT=$(SORT) KERB_DETECTORS=$(DETECTORS) KERB_RATES=$(RATES) \
		$(GO) test -count=1 -tags boxes -timeout 120m -v -run 'TestTruth$$' ./test/footage

# Chosen events on eight rendered streets: long buses, crawling, stop and go, vehicles abreast
# and bumper to bumper, turning back, occlusion. SCRIPTS=18,crawl chooses those whose names begin
# so, STREETS=2 the first so many streets, LIST=1 prints each crossing, DETECTORS chooses
# networks (default: street-large).
scripted:
	KERB_LIST=$(LIST) KERB_SCRIPTS=$(SCRIPTS) KERB_STREETS=$(STREETS) KERB_DETECTORS=$(DETECTORS) \
		$(GO) test -count=1 -tags boxes -timeout 120m -v -run 'TestScripted$$' ./test/footage

bench: build
	test/bench/run

# Processor time of each kind of source, compared with ffmpeg and motion at the same job,
# and the time that a picture waits. SOURCES=h264,http measures these alone.
bench-sources:
	KERB_LONG=1 KERB_SOURCES=$(SOURCES) $(GO) test -timeout 90m -count=1 -v -run 'WhatEachSourceCosts|HowLongAPictureWaits' ./agent

# Random streams of libx264, compared with ffmpeg's luma, and damaged streams. Takes hours.
h264:
	KERB_LONG=1 $(GO) test -count=1 -timeout 10h -v -run 'Generated|Damage' ./drivers/camera/h264

bench-neural:
	test/bench/neural.sh

# Static binaries for the boards. The ARM binaries are started under emulation.
cross: binary-amd64 binary-arm64 binary-armhf
	test/cross $(OUT)

binary-amd64:
	GOOS=linux GOARCH=amd64 $(BUILD) -o $(OUT)/kerb-linux-amd64 ./agent
binary-arm64:
	GOOS=linux GOARCH=arm64 $(BUILD) -o $(OUT)/kerb-linux-arm64 ./agent
binary-armhf:
	GOOS=linux GOARCH=arm GOARM=6 $(BUILD) -o $(OUT)/kerb-linux-armv6 ./agent

# Debian packages in out/. ARCH=arm64 makes one alone; nothing is run under emulation.
ARCH ?= amd64 arm64 armhf
deb: build $(ARCH:%=binary-%)
	cd firmware-notes/package && $(GO) run . -version '$(RELEASE)' -arch '$(ARCH)' -kerb '$(abspath $(OUT)/kerb)'

# The SD-card image for Raspberry Pi 3, 4, 5 and Zero 2 W.
image: binary-arm64
	cd firmware-notes/image && $(GO) run . -kerb ../../$(OUT)/kerb-linux-arm64 -out ../../$(OUT)/kerb.img

# The system for the unused slot of a card, and the update.json to sign.
update: binary-arm64
	mkdir -p $(OUT)/update
	cd firmware-notes/image && $(GO) run . -root -kerb ../../$(OUT)/kerb-linux-arm64 -out ../../$(OUT)/update/system.squashfs

# Build the image of one commit twice and compare the bytes.
image-twice: binary-arm64
	test/image/twice $(OUT)/kerb-linux-arm64

# Boot the image in a virtual machine: aiming from a telephone (Chromium), the access point, wrong files, updates and three power cuts (fifty
# with KERB_LONG=1). It takes half an hour, or two hours with KERB_LONG=1.
image-vm: binary-arm64
	test/image/prepare $(OUT)/image $(OUT)/kerb-linux-arm64
	KERB_IMAGE=$(abspath $(OUT)/image) $(GO) test -count=1 -v -timeout 4h ./test/image

# Build the packages twice, compare the bytes and run lintian. With KERB_LONG=1 also
# install, upgrade and purge them in a separate Debian.
package:
	test/package $(if $(KERB_LONG),$(OUT)/chroot)

# The arm64 package in a Debian with systemd, in a virtual machine. The upgrade installs
# the same program under a higher version number. With KERB_PART=button: the push button alone.
systemd: deb
	test/systemd/prepare $(OUT)/systemd
	cd firmware-notes/package && $(GO) run . -version 1.0
	test/systemd/run $(OUT)/systemd $$(ls -t $(OUT)/kerb_0*_arm64.deb | head -n 1) $(OUT)/kerb_1.0_arm64.deb

# The access point of an aiming session, in that Debian: two radios that the kernel makes
# (mac80211_hwsim), one of them a telephone's.
access-point: deb
	test/systemd/prepare $(OUT)/systemd
	KERB_PART=hotspot test/systemd/run $(OUT)/systemd $$(ls -t $(OUT)/kerb_0*_arm64.deb | head -n 1) $$(ls -t $(OUT)/kerb_0*_arm64.deb | head -n 1)

# The long forms of the tests of spool and uplink, with kill -9, power cuts and lost
# connections: hours on a busy machine.
spool:
	KERB_LONG=1 $(GO) test -count=1 -timeout 60m -v ./test/powercut
	$(GO) test -timeout 90m -count=1 -run Model -v ./agent/store -rapid.checks=10000

# The messages of the runs in test/e2e are also read by the parsers of other projects,
# which npm installs in test/wire.
wire: test/wire/node_modules
	KERB_LONG=1 $(GO) test -count=1 -timeout 4h -v ./agent/uplink ./test/e2e

test/wire/node_modules: test/wire/package-lock.json
	cd test/wire && npm ci

# Node-RED, which npm installs in test/nodered, gets the messages of a busy zone, and shows
# the present state after its own restart.
nodered: test/nodered/node_modules
	$(GO) test -count=1 -timeout 90m -run NodeRED -v ./test/e2e

test/nodered/node_modules: test/nodered/package-lock.json
	cd test/nodered && npm ci
	touch $@

# The files of configs/kit, each read by its own program with messages of kerb. The programs
# of Debian are unpacked in out/kit, not installed.
kit: test/nodered/node_modules $(OUT)/kit/usr/bin/telegraf
	$(GO) test -count=1 -timeout 90m -run 'Consumer|Alert|Exporter|Telegraf|NodeRED' -v ./configs
	cd test/grafana && $(GO) test -count=1 ./...

$(OUT)/kit/usr/bin/telegraf:
	mkdir -p $(OUT)/kit
	cd $(OUT)/kit && apt-get download prometheus prometheus-mqtt-exporter victoria-metrics && for d in *.deb; do dpkg-deb -x $$d .; done
	GOBIN=$(abspath $(OUT))/kit/usr/bin $(GO) install -tags 'custom inputs.mqtt_consumer outputs.file outputs.prometheus_client parsers.xpath processors.starlark serializers.influx' github.com/influxdata/telegraf/cmd/telegraf@v1.37.2

# Cut, stall, garble and restart every kind of camera, twenty times each.
cameras:
	KERB_LONG=1 $(GO) test -count=1 -timeout 60m -v -run TestEverySourceComesBack ./agent

# What ffmpeg, curl and kerb do with the mistakes of real cameras: the columns of the kit
# in drivers/camera/cameratest are measured again.
quirks:
	KERB_LONG=1 $(GO) test -count=1 -timeout 60m -v -run 'WhatCamerasGetWrong|WhatFFmpegAndCurlDo' ./drivers/camera

# Half an hour of faults in every kind of camera: memory and descriptors must not grow.
soak:
	KERB_LONG=1 $(GO) test -count=1 -timeout 60m -v -run 'HalfAnHour|ALeak' ./agent

# Every byte that leaves kerb, for an empty street and for one that passes, 200 times each
# over all scenes and shipped policies, and the attacks against what kerb explain promises.
# It takes an hour or two.
# 39 pairs of a policy and a scene, 200 plays each: 40 minutes of processor time. KERB_DONE
# names a file of the pairs that are done, so that a stop loses no more than one pair.
silence:
	KERB_LONG=1 GOGC=800 GODEBUG=asyncpreemptoff=1 $(GO) test -count=1 -timeout 10h -parallel 10 -v -run 'NobodyAndOne|Leaky|ALamp' ./agent/supervisor
	KERB_LONG=1 $(GO) test -count=1 -timeout 60m -v -run NoAttack ./agent/admission

fuse:
	cd test/fuse && KERB_LONG=1 $(GO) test -timeout 90m -count=1 -v ./...

# The formats of kerb relay, read by consumers that npm installs in test/relay/consumers;
# and a day of 200 devices with kills of devices, broker, relay and database.
relay-consumers: test/wire/node_modules test/relay/consumers/node_modules
	$(GO) test -count=1 -timeout 90m -run 'Format|HomeAssistant' -v ./test/relay

test/relay/consumers/node_modules: test/relay/consumers/package-lock.json
	cd test/relay/consumers && npm ci --ignore-scripts
	touch $@

relay-day:
	KERB_LONG=1 $(GO) test -count=1 -timeout 60m -run DayWithKills -v ./test/relay

# 11,000 devices at one broker, in real time: outages; and a slow consumer. 15 minutes.
fleet:
	KERB_LONG=1 $(GO) test -count=1 -timeout 60m -v ./test/fleet

cluster:
	cd test/nats && KERB_LONG=1 $(GO) test -timeout 90m -count=1 -v ./...

# The page of kerb aim in Chromium. The screenshots are written to SHOTS.
SHOTS ?= $(OUT)/shots
aim:
	mkdir -p $(SHOTS)
	cd test/aim && KERB_SHOTS=$(abspath $(SHOTS)) $(GO) test -timeout 90m -count=1 -v ./...

# Error caused by clearing: true against released counts, for a simulated week and the
# clips.
accuracy:
	$(GO) test -timeout 90m -count=1 -v ./test/accuracy

FUZZTIME ?= 1m
fuzz:
	test/fuzz $(FUZZTIME)

# Build the binary in two folders and compare the bytes.
reproducible:
	test/reproducible

clean:
	rm -rf $(OUT)
