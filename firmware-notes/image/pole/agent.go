package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	stateDir     = "/perm/var/lib/kerb" // /var/lib/kerb
	notifySocket = "/run/kerb-notify"

	// The times of the watch over kerb, chosen by hand.
	watchdogTimeout = 90 * time.Second // without a heartbeat kerb is killed
	stopTimeout     = 15 * time.Second // from SIGTERM to SIGKILL
	minRestart      = time.Second      // the delay of a restart doubles from here
	maxRestart      = time.Minute      // to here
	stableAfter     = 10 * time.Minute // a run that lasts longer sets the delay back
)

// makeStateDir makes the directory in which kerb may write.
func makeStateDir() error {
	return errors.Join(os.MkdirAll(filepath.Dir(stateDir), 0o755), os.MkdirAll(stateDir, 0o700), os.Chown(stateDir, kerbID, kerbID))
}

// An agent is the process kerb run, with its last heartbeat.
type agent struct {
	mu        sync.Mutex
	heartbeat time.Time
	health    []string      // those of counting, view, broker and clock that are well
	ready     chan struct{} // closed once kerb is ready for the first time
}

// setReady notes that kerb is ready.
func (a *agent) setReady() {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-a.ready:
	default:
		close(a.ready)
	}
}

// missingHealth lists those of counting, broker and clock that are not well: all of
// them after watchdogTimeout without a heartbeat.
func (a *agent) missingHealth() (missing []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, want := range []string{"counting", "broker", "clock"} {
		if time.Since(a.heartbeat) > watchdogTimeout || !slices.Contains(a.health, want) {
			missing = append(missing, want)
		}
	}
	return missing
}

// keepRunning gives kerb its devices and runs it until the context ends. It starts
// a kerb that ended again, after a delay that doubles from 1 s to 1 min.
func (a *agent) keepRunning(ctx context.Context, d *device, dir string) error {
	if err := makeStateDir(); err != nil {
		return err
	}
	if err := giveDevices(); err != nil {
		d.log.Print(err)
	}
	go d.keepDevices(ctx)
	_ = os.Remove(notifySocket)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notifySocket, Net: "unixgram"})
	if err != nil {
		return err
	}
	if err := os.Chown(notifySocket, kerbID, kerbID); err != nil {
		return err
	}
	go a.readNotifications(socket, d)
	for wait := minRestart; ctx.Err() == nil; wait = min(2*wait, maxRestart) {
		begun := time.Now()
		err := a.runOnce(ctx, d, dir)
		if ctx.Err() != nil {
			return nil
		}
		d.lamp.setCode(fault)
		d.log.Printf("kerb ended: %v; again in %v", err, wait)
		if time.Since(begun) > stableAfter {
			wait = minRestart
		}
		time.Sleep(wait)
	}
	return nil
}

// runOnce runs kerb until it ends, and kills its process group after
// watchdogTimeout without a heartbeat.
func (a *agent) runOnce(ctx context.Context, d *device, dir string) error {
	c := kerbCommand(dir, "run")
	c.Stdout, c.Stderr = d.console, d.console
	c.Env = append(c.Env, "NOTIFY_SOCKET="+notifySocket, fmt.Sprintf("WATCHDOG_USEC=%d", (watchdogTimeout/2).Microseconds()))
	a.setHealth(nil)
	if err := c.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			_ = c.Process.Signal(syscall.SIGTERM)
			select {
			case <-done:
			case <-time.After(stopTimeout):
				_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			}
			return ctx.Err()
		case <-tick.C:
			a.mu.Lock()
			silent := time.Since(a.heartbeat) > watchdogTimeout
			a.mu.Unlock()
			if silent {
				_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
				<-done
				return fmt.Errorf("no sign of life for %v", watchdogTimeout)
			}
		}
	}
}

// setHealth records a heartbeat and its health words.
func (a *agent) setHealth(health []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heartbeat, a.health = time.Now(), health
}

// readNotifications reads kerb's messages to a service manager (sd_notify(3)): the
// heartbeat WATCHDOG=1 and, beside it, the health words for the lamp.
func (a *agent) readNotifications(socket *net.UnixConn, d *device) {
	b := make([]byte, 4096)
	for {
		n, err := socket.Read(b)
		if err != nil {
			d.log.Print(err)
			return
		}
		text := string(b[:n])
		if strings.Contains(text, "READY=1") {
			d.log.Printf("kerb is ready")
			a.setReady()
		}
		if !strings.Contains(text, "WATCHDOG=1") {
			continue
		}
		var health []string
		for line := range strings.Lines(text) {
			if words, ok := strings.CutPrefix(line, "X_KERB_WELL="); ok {
				health = strings.Fields(words)
			}
		}
		a.setHealth(health)
		switch {
		case !slices.Contains(health, "counting"):
			d.lamp.setCode(fault)
		case !slices.Contains(health, "view"):
			d.lamp.setCode(unsighted)
		case !slices.Contains(health, "broker"):
			d.lamp.setCode(offline)
		default:
			d.lamp.setCode(counting)
		}
	}
}
