package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"kerb/drivers/lamp"
)

// A notifier tells systemd how the agent is (sd_notify(3)): datagrams to the
// socket that NOTIFY_SOCKET names. Without one it says nothing.
type notifier struct {
	once sync.Once
	told time.Time // of the last sign of life
}

func (n *notifier) tell(text string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if path[0] == '@' {
		path = "\x00" + path[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return // nobody to complain to but the one who does not listen
	}
	defer c.Close()
	_, _ = c.Write([]byte(text))
}

// ready is told once; then runs with it, for who watches.
func (n *notifier) ready(then func()) {
	n.once.Do(func() {
		n.tell("READY=1")
		then()
	})
}

func (n *notifier) stopping() { n.tell("STOPPING=1") }

// alive feeds the watchdog four times as often as systemd asks for. Beside the
// line for people stands which of counting, view, broker and clock are well, for
// whoever decides about an update by it; systemd passes over it.
func (n *notifier) alive(status, well func() string) {
	every := 10 * time.Second
	if us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
		every = min(every, time.Duration(us)*time.Microsecond/4)
	}
	if time.Since(n.told) >= every {
		n.told = time.Now()
		n.tell("WATCHDOG=1\nSTATUS=" + status() + "\nX_KERB_WELL=" + well())
	}
}

// ready tells systemd, once, that all processes are there.
func (s *supervisor) ready() {
	for _, p := range s.posts {
		if p.child == nil {
			return
		}
	}
	if s.speaking != nil {
		d := s.site.Device
		s.notify.ready(func() {
			s.log.Info("all is there", "window", s.policy.Window(),
				"next", fmt.Sprintf("kerb spool; mosquitto_sub -v -t 'kerb/v1/%s/%s/%s/#'", d.Tenant, d.Site, d.Name))
		})
	}
}

// well names what is well of counting, view, broker and clock. Counting is well
// when pictures are looked at, also where they show nothing: an update of a
// device is no worse for a night without lamps.
func (s *supervisor) well() string {
	words := []string{}
	switch s.code() {
	case lamp.Fault:
	case lamp.Unsighted:
		words = append(words, "counting")
	default:
		words = append(words, "counting", "view")
	}
	if s.online.Load() {
		words = append(words, "broker")
	}
	if s.clock.Read().Synced {
		words = append(words, "clock")
	}
	return strings.Join(words, " ")
}

// status is one line for systemctl status.
func (s *supervisor) status() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	watching, pictures := 0, uint64(0)
	for _, p := range s.posts {
		if p.child != nil && p.alive != nil && p.alive.Watching {
			watching++
			pictures += p.alive.Pictures
		}
	}
	speaking := "speaking"
	if s.speaking == nil {
		speaking = "no uplink"
	}
	return fmt.Sprintf("%d of %d cameras deliver, %d pictures, %s", watching, len(s.posts), pictures, speaking)
}
