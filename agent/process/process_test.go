package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"kerb/agent/ipc"
)

// The test binary starts itself again as the child, under the name kerb.
func TestMain(m *testing.M) {
	if os.Args[0] != "kerb" {
		os.Exit(m.Run())
	}
	_ = ipc.WriteRecord(os.Stdout, &ipc.Walls{})
	switch os.Args[1] {
	case "liar":
		_, _ = os.Stdout.Write(bytes.Repeat([]byte{0xff, 0xd8, 0x42, 0x17}, 4096))
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "chatter":
		for i := range 5000 {
			fmt.Fprintf(os.Stderr, "level=INFO msg=chat%s\x1b[2J\xff\xd8 %d\n", strings.Repeat("pixels", 200), i)
		}
	}
}

func newWatcher(words io.Writer, role string) *Watcher {
	return &Watcher{
		Name: role, Args: []string{role}, Log: slog.New(slog.DiscardHandler), ChildOutput: words, Starter: NewStarter(),
		OnStart:  func(context.Context, *Process) {},
		OnRecord: func(*Process, ipc.Record) error { return nil },
		OnExit:   func(uint8) {},
	}
}

func TestAChildThatSendsNoRecordIsKilled(t *testing.T) {
	w := newWatcher(io.Discard, "liar")
	var pid int
	w.OnStart = func(_ context.Context, c *Process) { pid = c.Cmd.Process.Pid }
	why, err := w.runOnce(t.Context())
	if why != ipc.LostMalformed || !errors.Is(err, ipc.ErrForeign) {
		t.Errorf("it ended because %d, %v", why, err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Error("it is still there")
	}
}

// A picture could be carried out in log lines.
func TestLogLinesAreFewAndPlain(t *testing.T) {
	var words bytes.Buffer
	w := newWatcher(&words, "chatter")
	if why, _ := w.runOnce(t.Context()); why != ipc.LostEnded {
		t.Errorf("it ended because %d", why)
	}
	if n := words.Len(); n == 0 || n > (maxLineBurst+10)*(maxLineLength+20) {
		t.Errorf("%d bytes came through", n)
	}
	for _, b := range words.Bytes() {
		if b != '\n' && (b < ' ' || b > '~') {
			t.Fatalf("byte %#x came through", b)
		}
	}
}

func TestLettersOfEveryLanguageComeThrough(t *testing.T) {
	for text, want := range map[string]string{
		"must be 1–64 of a–z: Müllerstraße, Töölö, улица, 街": "must be 1–64 of a–z: Müllerstraße, Töölö, улица, 街",
		"a\x1b[2Jb\xff\xd8c\u202ed\u200be\ufffdf\tg\n":       "a[2Jbcde\ufffdfg",
		strings.Repeat("ö", maxLineLength):                   strings.Repeat("ö", maxLineLength/2),
		"x" + strings.Repeat("ö", maxLineLength):             "x" + strings.Repeat("ö", maxLineLength/2-1),
	} {
		if got := PlainText([]byte(text)); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// A few kills in a row cost only moments of counting, and a process that always
// dies is not started all the time.
func TestTheRestartDelayGrowsAfterManyShortRuns(t *testing.T) {
	for quick, want := range map[int]time.Duration{1: minDelay, 5: minDelay, 6: 2 * minDelay, 9: 16 * minDelay, 14: maxDelay, 1000: maxDelay} {
		if got := restartDelay(quick); got != want {
			t.Errorf("after %d short runs: %s, want %s", quick, got, want)
		}
	}
}
