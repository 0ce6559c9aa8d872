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
type Notifier struct {
	once sync.Once
	told time.Time // of the last sign of life
}

func (n *Notifier) tell(text string) {
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
func (n *Notifier) Ready(then func()) {
	n.once.Do(func() {
		n.tell("READY=1")
		then()
	})
}

func (n *Notifier) Stopping() { n.tell("STOPPING=1") }

// alive feeds the watchdog four times as often as systemd asks for. Beside the
// line for people stands which of counting, view, broker and clock are well, for
// whoever decides about an update by it; systemd passes over it.
func (n *Notifier) Alive(status, well func() string) {
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
func (s *Supervisor) ready() {
	for _, p := range s.Posts {
		if p.Child == nil {
			return
		}
	}
	if s.Speaking != nil {
		d := s.Site.Device
		s.notify.Ready(func() {
			s.Log.Info("all is there", "window", s.Policy.Window(),
				"next", fmt.Sprintf("kerb spool; mosquitto_sub -v -t 'kerb/v1/%s/%s/%s/#'", d.Tenant, d.Site, d.Name))
		})
	}
}

// well names what is well of counting, view, broker and clock. Counting is well
// when pictures are looked at, also where they show nothing: an update of a
// device is no worse for a night without lamps.
func (s *Supervisor) Well() string {
	words := []string{}
	switch s.Code() {
	case lamp.Fault:
	case lamp.Unsighted:
		words = append(words, "counting")
	default:
		words = append(words, "counting", "view")
	}
	if s.Online.Load() {
		words = append(words, "broker")
	}
	if s.Clock.Read().Synced {
		words = append(words, "clock")
	}
	return strings.Join(words, " ")
}

// status is one line for systemctl status.
func (s *Supervisor) status() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	watching, pictures := 0, uint64(0)
	for _, p := range s.Posts {
		if p.Child != nil && p.Alive != nil && p.Alive.Watching {
			watching++
			pictures += p.Alive.Pictures
		}
	}
	speaking := "speaking"
	if s.Speaking == nil {
		speaking = "no uplink"
	}
	return fmt.Sprintf("%d of %d cameras deliver, %d pictures, %s", watching, len(s.Posts), pictures, speaking)
}
