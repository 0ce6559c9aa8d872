package supervisor

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSystemdIsToldOnceThatAllIsReadyAndOftenThatItLives(t *testing.T) {
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
	var heard []string
	for b := make([]byte, 256); len(heard) < 4; {
		_ = l.SetReadDeadline(time.Now().Add(10 * time.Second))
		k, err := l.Read(b)
		if err != nil {
			t.Fatalf("%v after %q", err, heard)
		}
		heard = append(heard, string(b[:k]))
	}
	alive := "WATCHDOG=1\nSTATUS=counting\nX_KERB_WELL=clock"
	if got, want := strings.Join(heard, ";"), strings.Join([]string{"READY=1", alive, alive, "STOPPING=1"}, ";"); got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
}

func TestWithoutSystemdNobodyIsTold(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	new(notifier).notifyReady(func() {})
}
