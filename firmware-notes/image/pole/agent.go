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
	stateHome = "/perm/var/lib/kerb" // /var/lib/kerb
	notifyAt  = "/run/kerb-notify"
	patience  = 90 * time.Second // without a sign of life kerb is ended
)

// stateDir is where kerb may write.
func stateDir() error {
	return errors.Join(os.MkdirAll(filepath.Dir(stateHome), 0o755), os.MkdirAll(stateHome, 0o700), os.Chown(stateHome, kerbID, kerbID))
}

// An agent is kerb run, and what it last said of its health.
type agent struct {
	mu     sync.Mutex
	alive  time.Time
	health []string // of counting, view, broker and clock, those that are well
}

// well reports whether the agent counts, has its broker, and a clock.
func (a *agent) well() (missing []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, want := range []string{"counting", "broker", "clock"} {
		if time.Since(a.alive) > patience || !slices.Contains(a.health, want) {
			missing = append(missing, want)
		}
	}
	return missing
}

// run keeps kerb running until the context ends.
func (a *agent) run(ctx context.Context, d *device, dir string) error {
	if err := stateDir(); err != nil {
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
	_ = os.Remove(notifyAt)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notifyAt, Net: "unixgram"})
	if err != nil {
		return err
	}
	if err := os.Chown(notifyAt, kerbID, kerbID); err != nil {
		return err
	}
	go a.listen(socket, d)
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
		begun := time.Now()
		err := a.once(ctx, d, dir)
		if ctx.Err() != nil {
			return nil
		}
		d.lamp.show(fault)
		d.log.Printf("kerb ended: %v; again in %v", err, wait)
		if time.Since(begun) > 10*time.Minute {
			wait = time.Second
		}
		time.Sleep(wait)
	}
	return nil
}

func (a *agent) once(ctx context.Context, d *device, dir string) error {
	c := kerb(dir, "run")
	c.Stdout, c.Stderr = d.words, d.words
	c.Env = append(c.Env, "NOTIFY_SOCKET="+notifyAt, fmt.Sprintf("WATCHDOG_USEC=%d", (patience/2).Microseconds()))
	a.saw(nil)
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
			silent := time.Since(a.alive) > patience
			a.mu.Unlock()
			if silent {
				_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
				<-done
				return fmt.Errorf("no sign of life for %v", patience)
			}
		}
	}
}

func (a *agent) saw(health []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.alive, a.health = time.Now(), health
}

// listen hears what kerb would tell systemd (sd_notify(3)).
func (a *agent) listen(socket *net.UnixConn, d *device) {
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
		a.saw(health)
		switch {
		case !slices.Contains(health, "counting"):
			d.lamp.show(fault)
		case !slices.Contains(health, "view"):
			d.lamp.show(unsighted)
		case !slices.Contains(health, "broker"):
			d.lamp.show(offline)
		default:
			d.lamp.show(counting)
		}
	}
}
