package logbook

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// newTestBook returns a Book with a clock of its own, and a log on it.
func newTestBook(t *testing.T) (b *Book, out *bytes.Buffer, now *time.Time, log *slog.Logger) {
	t.Helper()
	out, now = new(bytes.Buffer), new(time.Time)
	*now = time.Unix(1e9, 0)
	b = New(out, func() time.Time { return *now })
	return b, out, now, slog.New(slog.NewTextHandler(b, nil))
}

// A camera is away for an hour. The supervisor and the sensing process both tell it
// each second, with two reasons by turns.
func TestALossIsToldOnceAndThenThreeTimesInTenMinutes(t *testing.T) {
	b, out, now, log := newTestBook(t)
	for range 3600 {
		log.Warn("camera lost", "camera", "north", "err", errors.New("connection refused"))
		fmt.Fprintln(b, `time=2026-11-30T10:00:00.000Z level=WARN msg="camera lost" camera=north err="no route" again_in=1s from="sense north"`)
		*now = now.Add(time.Second)
	}
	if n := strings.Count(out.String(), "\n"); n > 6*4 || n < 12 {
		t.Errorf("%d lines in an hour:\n%s", n, out)
	}
	if !strings.Contains(out.String(), "not_told=") {
		t.Errorf("what was left out is not counted:\n%s", out)
	}
	for _, first := range []string{"connection refused", "no route"} {
		if !strings.Contains(strings.Join(strings.SplitN(out.String(), "\n", 3)[:2], "\n"), first) {
			t.Errorf("not told at once: %s\n%s", first, out)
		}
	}
}

func TestOtherSubjectsAndOtherMessagesAreToldAtOnce(t *testing.T) {
	_, out, _, log := newTestBook(t)
	for range 3 {
		log.Warn("camera lost", "camera", "north", "err", "EOF")
		log.Warn("camera lost", "camera", "south", "err", "EOF")
		log.Warn("walls are missing", "err", "EOF")
		log.Info("uplink: command", "verb", "resend", "id", "1")
		log.Info("uplink: command", "verb", "resend", "id", "2")
	}
	for _, want := range []string{"camera=north", "camera=south", "walls are", "id=1", "id=2"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not told: %s\n%s", want, out)
		}
	}
	if n := strings.Count(out.String(), "camera=north"); n != 1 {
		t.Errorf("the same loss at once: told %d times", n)
	}
}

// The engineer pulls the cable and plugs it in again: the second loss is told, too.
// A camera that comes and goes for an hour fills no log either.
func TestALossAfterARecoveryIsToldAtOnce(t *testing.T) {
	_, out, now, log := newTestBook(t)
	lose := func() { log.Warn("camera lost", "camera", "north", "err", "EOF") }
	lose()
	log.Info("camera open", "camera", "north")
	lose()
	if n := strings.Count(out.String(), "camera lost"); n != 2 {
		t.Errorf("told %d times:\n%s", n, out)
	}
	for range 360 {
		*now = now.Add(10 * time.Second)
		log.Info("camera open", "camera", "north")
		lose()
	}
	if n := strings.Count(out.String(), "\n"); n > 2*4*7 {
		t.Errorf("%d lines in an hour of coming and going", n)
	}
}

func TestTheLastWarningTellsWhyUntilTheSubjectIsWell(t *testing.T) {
	b, _, _, log := newTestBook(t)
	for _, err := range []string{"EOF", "refuses the password", "EOF", "EOF", "Süd: EOF"} {
		log.Warn("camera lost", "camera", "north", "err", err)
	}
	if w := b.LastWarning("camera", "north"); w.Message != "camera lost" || w.Err != "Süd: EOF" {
		t.Errorf("%+v", w)
	}
	log.Info("camera open", "camera", "north")
	if w := b.LastWarning("camera", "north"); w != (Warning{}) {
		t.Errorf("well again: %+v", w)
	}
}

func TestTheLastLinesAreKeptInOrder(t *testing.T) {
	b, _, _, _ := newTestBook(t)
	for i := range maxKept + 7 {
		fmt.Fprintf(b, "line %d\n", i)
	}
	lines := b.Lines()
	if len(lines) != maxKept || lines[0] != "line 7" || lines[maxKept-1] != fmt.Sprintf("line %d", maxKept+6) {
		t.Errorf("%d lines, %q to %q", len(lines), lines[0], lines[len(lines)-1])
	}
	if len(b.told) > maxKeys {
		t.Errorf("%d keys are remembered", len(b.told))
	}
}

// Lines of a child are not trusted: any line is one line, and no line is a panic.
func FuzzWrite(f *testing.F) {
	for _, s := range []string{
		"", "level=", `level=WARN msg="`, `x: level=WARN msg="a b" err="\"" camera=n`, "level=INFO =x", "level=INFO a", "\x00\xff", "  level=ERROR  msg=a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var out bytes.Buffer
		b := New(&out, time.Now)
		if n, err := b.Write([]byte(s)); n != len(s) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if want := strings.TrimRight(s, "\n") + "\n"; out.String() != want {
			t.Errorf("%q became %q", s, out.String())
		}
	})
}

func TestLinesOfManyGoroutinesDoNotMix(t *testing.T) {
	b, out, _, _ := newTestBook(t)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for j := range 20 {
				fmt.Fprintf(b, "writer %d line %d\n", i, j)
			}
		})
	}
	writers.Wait()
	if n := strings.Count(out.String(), "\n"); n != 8*20 || len(b.Lines()) != n {
		t.Errorf("%d lines, %d kept", n, len(b.Lines()))
	}
}
