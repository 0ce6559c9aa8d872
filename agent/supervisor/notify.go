package supervisor

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// notifier sends messages to the service manager (sd_notify(3)): datagrams to the
// socket in NOTIFY_SOCKET. Without that variable it sends none.
type notifier struct {
	once     sync.Once
	lastSent time.Time // of the last WATCHDOG=1
}

// sendDatagram sends one message. An error is dropped: the service manager that
// does not get its messages restarts the agent.
func (n *notifier) sendDatagram(text string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if path[0] == '@' { // an abstract socket, unix(7)
		path = "\x00" + path[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = c.Write([]byte(text))
}

// notifyReady sends READY=1 and calls then, both in the first call only.
func (n *notifier) notifyReady(then func()) {
	n.once.Do(func() {
		n.sendDatagram("READY=1")
		then()
	})
}

// notifyStopping sends STOPPING=1.
func (n *notifier) notifyStopping() { n.sendDatagram("STOPPING=1") }

// The intervals of the watchdog's messages. A quarter of the time that the service
// manager allows lets three of them be lost.
const (
	maxWatchdogInterval = 10 * time.Second
	watchdogShare       = 4
)

// feedWatchdog sends WATCHDOG=1 if it is time for it, with the status line for
// systemctl status and the health words. Those are not systemd's: kerb's image
// decides by them whether it keeps an update, and systemd ignores the variable.
func (n *notifier) feedWatchdog(status, health func() string) {
	every := maxWatchdogInterval
	if us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
		every = min(every, time.Duration(us)*time.Microsecond/watchdogShare)
	}
	if time.Since(n.lastSent) >= every {
		n.lastSent = time.Now()
		n.sendDatagram("WATCHDOG=1\nSTATUS=" + status() + "\nX_KERB_WELL=" + health())
	}
}

// notifyIfReady sends READY=1, once, when all processes run. It is called under
// the supervisor's lock.
func (s *Supervisor) notifyIfReady() {
	for _, p := range s.slots {
		if p.process == nil {
			return
		}
	}
	if s.publisherProcess != nil {
		s.notify.notifyReady(func() { close(s.ready) })
	}
}

// healthWords lists which of counting, view, broker and clock are well, separated
// by spaces. Counting is well when pictures are looked at, even where they show
// too little to count, and even where a loop has failed: neither is the fault of
// an update.
func (s *Supervisor) healthWords() string {
	words := []string{}
	switch h := s.assessSensors(); {
	case h.lost:
	case h.unsighted:
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

// statusLine returns the line for systemctl status, such as "2 of 3 cameras and
// the loops deliver, 1234 pictures; broker connected". It names cameras and loops
// only where the site has them.
func (s *Supervisor) statusLine() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	cameras, delivering, pictures := len(s.site.Cameras), 0, uint64(0)
	hasLoops, loopsDeliver := false, false
	for _, p := range s.slots {
		switch {
		case p.number >= cameras:
			hasLoops, loopsDeliver = true, p.isDelivering()
		case p.isDelivering():
			delivering++
			pictures += p.heartbeat.Pictures
		}
	}
	var parts []string
	switch {
	case cameras > 0 && loopsDeliver:
		parts = append(parts, fmt.Sprintf("%d of %d cameras and the loops deliver, %d pictures", delivering, cameras, pictures))
	case cameras > 0:
		parts = append(parts, fmt.Sprintf("%d of %d cameras deliver, %d pictures", delivering, cameras, pictures))
	case loopsDeliver:
		parts = append(parts, "the loops deliver")
	}
	if hasLoops && !loopsDeliver {
		parts = append(parts, "the loops do not deliver")
	}
	return strings.Join(append(parts, s.brokerStatus()), "; ")
}

// brokerStatus returns the state of the uplink for the status line. It is called
// under the supervisor's lock.
func (s *Supervisor) brokerStatus() string {
	switch {
	case s.publisherProcess == nil:
		return "no uplink process"
	case s.online.Load():
		return "broker connected"
	}
	return "broker not connected"
}
