//go:build linux

// Command pole is the only program that gokrazy starts on kerb's image: it runs
// kerb. It copies the two files from the card, sets the clock, joins the Wi-Fi,
// starts kerb and restarts it, and installs signed updates of the system.
//
// It runs as root; kerb runs as an unprivileged user. It refuses a card that kerb
// check refuses, unknown settings, and a system that no key of the device signed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

const (
	permDir = "/perm/kerb"    // pole's own: files copied from the card, the failed version
	kerbBin = "/usr/bin/kerb" // the packages' binary
	kerbID  = 2000            // user and group of kerb
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	words := io.Writer(os.Stderr)
	// All messages go to the screen too, for a person in front of it.
	if console, err := os.OpenFile("/dev/console", os.O_WRONLY, 0); err == nil {
		words = io.MultiWriter(os.Stderr, console)
	}
	p := &device{agent: agent{ready: make(chan struct{})}, console: words, log: log.New(words, "pole: ", log.LstdFlags|log.LUTC|log.Lmsgprefix), lamp: findLamp()}
	if err := p.run(ctx); err != nil {
		p.log.Print(err)
		os.Exit(1)
	}
}

// A device is the state of pole.
type device struct {
	console  io.Writer
	log      *log.Logger
	lamp     *lamp
	slot     slot
	settings settings
	agent    agent
	report   report
	aiming   sync.Mutex // held while a session of aiming is open
}

// run starts the parts of pole, then runs kerb until the context ends.
func (d *device) run(ctx context.Context) error {
	if err := os.MkdirAll(permDir, 0o755); err != nil {
		return fmt.Errorf("the partition for what is counted cannot be written: %w", err)
	}
	var err error
	if d.slot, err = findSlot(); err != nil {
		return err
	}
	d.log.Printf("system %d in slot %d, trial %v", d.slot.version, d.slot.running, d.slot.trial)
	if err := os.WriteFile("/usr/bin/.written", nil, 0o600); errors.Is(err, syscall.EROFS) {
		d.log.Print("root is read-only")
	} else {
		d.log.Printf("root can be written: %v", err)
	}
	go d.lamp.blinkUntil(ctx)
	cycled := d.watchStart(ctx)
	dir, wrong := d.admitCard()
	// Wi-Fi, clock and updates work with files that kerb refuses: the device
	// must be able to report that, and to be repaired.
	d.startSystem(ctx, dir)
	if d.slot.trial {
		go d.judgeTrial(ctx)
	}
	if wrong != nil {
		d.reportRefused(ctx, wrong, dir == "")
		d.setCardMistakes(strings.Split(wrong.Error(), "\n"))
	} else {
		d.setCardMistakes(nil)
	}
	if dir == "" {
		<-ctx.Done()
		return nil
	}
	go d.openRequested(ctx, dir, cycled)
	if d.settings.Aim.Button != "" {
		go d.watchButton(ctx, dir)
	}
	return d.agent.keepRunning(ctx, d, dir)
}
