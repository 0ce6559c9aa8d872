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
	stateDir        = "/perm/var/lib/kerb" // /var/lib/kerb
	notifySocket    = "/run/kerb-notify"
	watchdogTimeout = 90 * time.Second // without a sign of life kerb is ended
)

// makeStateDir is where kerb may write.
func makeStateDir() error {
	return errors.Join(os.MkdirAll(filepath.Dir(stateDir), 0o755), os.MkdirAll(stateDir, 0o700), os.Chown(stateDir, kerbID, kerbID))
}

// An agent is kerb run, and what it last said of its health.
type agent struct {
	mu        sync.Mutex
	heartbeat time.Time
	health    []string // of counting, view, broker and clock, those that are well
}

// missingHealth reports whether the agent counts, has its broker, and a clock.
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

// keepRunning keeps kerb running until the context ends.
func (a *agent) keepRunning(ctx context.Context, d *device, dir string) error {
	if err := makeStateDir(); err != nil {
		return err
	}
	for _, pattern := range []string{"/dev/video*", "/dev/gpiochip*"} {
		nodes, _ := filepath.Glob(pattern) // the pattern is right
		for _, n := range nodes {
			if err := errors.Join(os.Chown(n, 0, kerbID), os.Chmod(n, 0o660)); err != nil {
				d.log.Print(err)
			}
		}
	}
	_ = os.Remove(notifySocket)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notifySocket, Net: "unixgram"})
	if err != nil {
		return err
	}
	if err := os.Chown(notifySocket, kerbID, kerbID); err != nil {
		return err
	}
	go a.readNotifications(socket, d)
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
		begun := time.Now()
		err := a.runOnce(ctx, d, dir)
		if ctx.Err() != nil {
			return nil
		}
		d.lamp.setCode(fault)
		d.log.Printf("kerb ended: %v; again in %v", err, wait)
		if time.Since(begun) > 10*time.Minute {
			wait = time.Second
		}
		time.Sleep(wait)
	}
	return nil
}

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
			case <-time.After(15 * time.Second):
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

func (a *agent) setHealth(health []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heartbeat, a.health = time.Now(), health
}

// readNotifications hears what kerb would tell systemd (sd_notify(3)).
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
