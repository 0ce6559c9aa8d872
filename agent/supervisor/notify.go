package supervisor

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
	once     sync.Once
	lastSent time.Time // of the last sign of life
}

func (n *notifier) sendDatagram(text string) {
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
func (n *notifier) notifyReady(then func()) {
	n.once.Do(func() {
		n.sendDatagram("READY=1")
		then()
	})
}

func (n *notifier) notifyStopping() { n.sendDatagram("STOPPING=1") }

// alive feeds the watchdog four times as often as systemd asks for. Beside the
// line for people stands which of counting, view, broker and clock are well, for
// whoever decides about an update by it; systemd passes over it.
func (n *notifier) feedWatchdog(status, well func() string) {
	every := 10 * time.Second
	if us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
		every = min(every, time.Duration(us)*time.Microsecond/4)
	}
	if time.Since(n.lastSent) >= every {
		n.lastSent = time.Now()
		n.sendDatagram("WATCHDOG=1\nSTATUS=" + status() + "\nX_KERB_WELL=" + well())
	}
}

// notifyIfReady tells systemd, once, that all processes are there.
func (s *Supervisor) notifyIfReady() {
	for _, p := range s.slots {
		if p.process == nil {
			return
		}
	}
	if s.publisherProcess != nil {
		d := s.site.Device
		s.notify.notifyReady(func() {
			s.log.Info("all is there", "window", s.policy.Window(),
				"next", fmt.Sprintf("kerb spool; mosquitto_sub -v -t 'kerb/v1/%s/%s/%s/#'", d.Tenant, d.Site, d.Name))
		})
	}
}

// well names what is well of counting, view, broker and clock. Counting is well
// when pictures are looked at, also where they show nothing: an update of a
// device is no worse for a night without lamps.
func (s *Supervisor) healthWords() string {
	words := []string{}
	switch s.lampCode() {
	case lamp.Fault:
	case lamp.Unsighted:
		words = append(words, "counting")
	default:
		words = append(words, "counting", "view")
	}
	if s.online.Load() {
		words = append(words, "broker")
	}
	if s.clock.ReadAll().Synced {
		words = append(words, "clock")
	}
	return strings.Join(words, " ")
}

// statusLine is one line for systemctl status.
func (s *Supervisor) statusLine() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	watching, pictures := 0, uint64(0)
	for _, p := range s.slots {
		if p.process != nil && p.heartbeat != nil && p.heartbeat.Watching {
			watching++
			pictures += p.heartbeat.Pictures
		}
	}
	speaking := "speaking"
	if s.publisherProcess == nil {
		speaking = "no uplink"
	}
	return fmt.Sprintf("%d of %d cameras deliver, %d pictures, %s", watching, len(s.slots), pictures, speaking)
}
