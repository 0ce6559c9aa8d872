package child

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"kerb/agent/cage"
	"kerb/agent/ipc"
)

func TestTheSummaryTellsTheWallsOfTheReport(t *testing.T) {
	const holds, permitted, open = "holds", "permitted", "open"
	for name, c := range map[string]struct {
		states   []string
		hold     int
		openList []string
	}{
		"all hold":             {[]string{holds, holds, holds}, 3, []string{}},
		"one is permitted":     {[]string{holds, permitted, holds}, 2, []string{}},
		"two are open":         {[]string{open, holds, permitted, open}, 1, []string{"do 0", "do 3"}},
		"nothing was measured": {nil, 0, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := cage.Report{Role: "sense", Landlock: 6}
			for i, s := range c.states {
				w := cage.Wall{Name: "do " + string(rune('0'+i)), Holds: s == holds}
				if s == permitted {
					w.Reason = "its job"
				}
				r.Walls = append(r.Walls, w)
			}
			var wire bytes.Buffer
			if err := ipc.WriteRecord(&wire, PackWalls(r)); err != nil {
				t.Fatal(err)
			}
			m, err := ipc.ReadRecord(&wire)
			if err != nil {
				t.Fatal(err)
			}
			want := WallSummary{c.hold, c.openList, 6}
			if got := SummariseWalls(m.(*ipc.Walls), r.Walls); !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// A wall that the role permits may hold all the same, and then counts as one that
// holds.
func TestAPermittedWallThatHoldsIsPackedAsHolding(t *testing.T) {
	w := PackWalls(cage.Report{Walls: []cage.Wall{{Name: "dial", Holds: true, Reason: "its job"}, {Name: "dial", Reason: "its job"}, {Name: "dial"}}})
	if got, want := w.State[:4], []uint8{ipc.WallHolds, ipc.WallPermitted, ipc.WallOpen, 0}; !bytes.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWallsBeyondTheRecordAreLeftOut(t *testing.T) {
	for _, n := range []int{ipc.MaxWalls - 1, ipc.MaxWalls, ipc.MaxWalls + 1} {
		walls := make([]cage.Wall, n)
		for i := range walls {
			walls[i].Holds = true
		}
		got := SummariseWalls(PackWalls(cage.Report{Walls: walls}), walls).Hold
		if want := min(n, ipc.MaxWalls); got != want {
			t.Errorf("%d walls: %v hold, want %d", n, got, want)
		}
	}
}

func TestOnlyTheTimeOfTheLineIsDropped(t *testing.T) {
	const rest = "level=INFO msg=open camera.time=noon"
	for _, c := range []struct {
		name    string
		replace func([]string, slog.Attr) slog.Attr
		timed   bool
	}{{"with DropTime", DropTime, false}, {"control: without", nil, true}} {
		var b strings.Builder
		log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: c.replace}))
		log.Info("open", slog.Group("camera", slog.String("time", "noon")))
		if before, ok := strings.CutSuffix(b.String(), rest+"\n"); !ok || strings.HasPrefix(before, "time=") != c.timed || (before != "") != c.timed {
			t.Errorf("%s: %q", c.name, b.String())
		}
	}
}

// redirectStdout makes a pipe the standard output until the end of the test.
func redirectStdout(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = w
	t.Cleanup(func() {
		os.Stdout = old
		r.Close()
		w.Close()
	})
	return r, w
}

func TestHeartbeatsStopWhenTheWorkStalls(t *testing.T) {
	r, w := redirectStdout(t)
	const beats = 3
	var log strings.Builder
	asked, pictures := 0, uint64(0)
	synctest.Test(t, func(*testing.T) {
		SendHeartbeats(slog.New(slog.NewTextHandler(&log, nil)), func() bool {
			asked++
			return asked > beats
		}, func() *ipc.Heartbeat {
			pictures++
			return &ipc.Heartbeat{Pictures: pictures}
		})
	})
	w.Close()
	for want := uint64(1); want <= beats; want++ {
		m, err := ipc.ReadRecord(r)
		if h, ok := m.(*ipc.Heartbeat); !ok || h.Pictures != want || err != nil {
			t.Fatalf("record %d: %+v, %v", want, m, err)
		}
	}
	if m, err := ipc.ReadRecord(r); !errors.Is(err, io.EOF) {
		t.Errorf("after the last heartbeat: %+v, %v", m, err)
	}
	if !strings.Contains(log.String(), "does not move") {
		t.Errorf("the log has %q", log.String())
	}
}

func TestHeartbeatsStopWhenTheSupervisorIsGone(t *testing.T) {
	r, _ := redirectStdout(t)
	var log strings.Builder
	beats := 0
	synctest.Test(t, func(*testing.T) {
		SendHeartbeats(slog.New(slog.NewTextHandler(&log, nil)), func() bool { return false }, func() *ipc.Heartbeat {
			if beats++; beats == 2 {
				r.Close()
			}
			return &ipc.Heartbeat{}
		})
	})
	if beats != 2 || log.Len() > 0 {
		t.Errorf("%d heartbeats, log %q", beats, log.String())
	}
}
