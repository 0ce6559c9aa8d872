package supervisor

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/process"
)

func TestSystemdGetsReadyOnceAndTheWatchdogOften(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "4000")
	var n notifier
	for range 3 {
		n.notifyReady(func() {})
	}
	for range 2 {
		n.feedWatchdog(func() string { return "counting" }, func() string { return "clock" })
		time.Sleep(2 * time.Millisecond)
	}
	n.notifyStopping()
	var got []string
	for b := make([]byte, 256); len(got) < 4; {
		_ = l.SetReadDeadline(time.Now().Add(10 * time.Second))
		k, err := l.Read(b)
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got = append(got, string(b[:k]))
	}
	alive := "WATCHDOG=1\nSTATUS=counting\nX_KERB_WELL=clock"
	if got, want := strings.Join(got, ";"), strings.Join([]string{"READY=1", alive, alive, "STOPPING=1"}, ";"); got != want {
		t.Errorf("received %q, want %q", got, want)
	}
}

func TestWithoutSystemdNoMessageIsSent(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	new(notifier).notifyReady(func() {})
}

func TestTheStatusLineNamesWhatTheSiteHas(t *testing.T) {
	delivers := func(pictures uint64) *slot {
		return &slot{process: &process.Process{}, heartbeat: &ipc.Heartbeat{Delivering: true, Pictures: pictures}}
	}
	for _, c := range []struct {
		want    string
		cameras int
		slots   []*slot
		uplink  *process.Process
		online  bool
	}{
		{"0 of 1 cameras deliver, 0 pictures; no uplink process", 1, []*slot{{}}, nil, false},
		{"1 of 1 cameras deliver, 7 pictures; broker not connected", 1, []*slot{delivers(7)}, &process.Process{}, false},
		{"2 of 3 cameras and the loops deliver, 1234 pictures; broker connected", 3, []*slot{delivers(1000), {}, delivers(234), delivers(0)}, &process.Process{}, true},
		{"1 of 1 cameras deliver, 7 pictures; the loops do not deliver; broker connected", 1, []*slot{delivers(7), {}}, &process.Process{}, true},
		{"the loops deliver; broker not connected", 0, []*slot{delivers(0)}, &process.Process{}, false},
		{"the loops do not deliver; no uplink process", 0, []*slot{{}}, nil, false},
	} {
		s := &Supervisor{site: &config.Site{Cameras: make([]config.Camera, c.cameras)}, slots: c.slots, publisherProcess: c.uplink}
		s.online.Store(c.online)
		for i, p := range s.slots {
			p.number = i
		}
		if got := s.statusLine(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
