package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/parcel"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
)

// The test binary starts itself again as a process of kerb run.
func TestMain(m *testing.M) {
	if os.Getenv("KERB_COST") != "" && len(os.Args) > 1 && os.Args[1] == "whole" {
		fmt.Fprintln(os.Stderr, runWhole(os.Args[2:]))
		os.Exit(1)
	}
	if os.Getenv("KERB_COST") != "" && len(os.Args) == 4 && os.Args[1] == "luma" {
		fmt.Fprintln(os.Stderr, readLuma(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	if os.Args[0] != "kerb" {
		os.Exit(m.Run())
	}
	_ = parcel.Write(os.Stdout, &parcel.Walls{})
	switch os.Args[1] {
	case "liar":
		_, _ = os.Stdout.Write(bytes.Repeat([]byte{0xff, 0xd8, 0x42, 0x17}, 4096))
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "chatter":
		for i := range 5000 {
			fmt.Fprintf(os.Stderr, "%s\x1b[2J\xff\xd8 %d\n", strings.Repeat("pixels", 200), i)
		}
	}
}

func newWard(words io.Writer, role string) *ward {
	return &ward{
		name: role, args: []string{role}, log: slog.New(slog.DiscardHandler), words: words, nursery: newNursery(),
		begun: func(context.Context, *child) {},
		heard: func(*child, parcel.Message) error { return nil },
		ended: func(uint8) {},
	}
}

func TestAProcessThatSaysAnythingButParcelsIsEnded(t *testing.T) {
	w := newWard(io.Discard, "liar")
	var pid int
	w.begun = func(_ context.Context, c *child) { pid = c.cmd.Process.Pid }
	why, err := w.live(t.Context())
	if why != parcel.Malformed || !errors.Is(err, parcel.ErrForeign) {
		t.Errorf("it ended because %d, %v", why, err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Error("it is still there")
	}
}

// Words could carry a picture out line by line.
func TestAProcessHasFewAndPlainWords(t *testing.T) {
	var words bytes.Buffer
	w := newWard(&words, "chatter")
	if why, _ := w.live(t.Context()); why != parcel.Ended {
		t.Errorf("it ended because %d", why)
	}
	if n := words.Len(); n == 0 || n > (linesAtOnce+10)*(lineLength+20) {
		t.Errorf("%d bytes came through", n)
	}
	for _, b := range words.Bytes() {
		if b != '\n' && (b < ' ' || b > '~') {
			t.Fatalf("byte %#x came through", b)
		}
	}
}

func TestATallyThatNobodyAskedForIsRefused(t *testing.T) {
	stream := counting.Stream{ID: "kerb", Kind: counting.LineStream, Classes: []counting.Class{counting.Person}}
	w := &parcel.Window{N: 7, Start: 0, End: parcel.At(time.Unix(900, 0)), Tallies: 2}
	p := &post{streams: []counting.Stream{stream}, first: 1}
	answer := func() *parcel.Tally {
		return parcel.Pack(7, 0, counting.Tally{Observed: time.Minute, Quality: counting.Partial, Reason: "starting"})
	}
	asked := func() *gathering {
		return &gathering{n: 7, window: w, got: make([]*parcel.Tally, 2), open: map[*post]bool{p: true}, done: make(chan struct{})}
	}
	if err := asked().take(p, answer()); err != nil {
		t.Error(err)
	}
	for name, try := range map[string]func(g *gathering) error{
		"no window ends": func(*gathering) error { return (*gathering)(nil).take(p, answer()) },
		"twice": func(g *gathering) error {
			_ = g.take(p, answer())
			return g.take(p, answer())
		},
		"another's stream":             func(g *gathering) error { a := answer(); a.Stream = 1; return g.take(p, a) },
		"another window":               func(g *gathering) error { a := answer(); a.N = 6; return g.take(p, a) },
		"another's classes":            func(g *gathering) error { a := answer(); a.Crossings[counting.Heavy][0] = 1; return g.take(p, a) },
		"a process that was not asked": func(g *gathering) error { return g.take(&post{streams: p.streams}, answer()) },
	} {
		if err := try(asked()); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestWhatIsNotStoredComesAgain(t *testing.T) {
	o := newOutbox()
	for range 3 {
		o.put(func(n uint64) []parcel.Message { return []parcel.Message{&parcel.Step{N: n}} })
	}
	o.stored(1)
	for _, after := range []uint64{0, 1} {
		if i, ok := o.after(t.Context(), after); !ok || i.n != 2 {
			t.Errorf("after %d comes %d", after, i.n)
		}
	}
	o.stored(3)
	if !o.empty(t.Context()) {
		t.Error("not empty")
	}
}

// writerOn is the uplink's end of the pipe on a spool.
func writerOn(t *testing.T, path string, p *policy.Policy) *writer {
	t.Helper()
	boot := clock.BootID()
	db, err := store.Open(path, store.Stamp(func() (string, bool) { return boot, true }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	stream := counting.Stream{ID: "kerb", Kind: counting.LineStream, Classes: []counting.Class{counting.Person}}
	site := &config.Site{}
	w := &writer{site: site, out: io.Discard, condition: newCondition(site, verdict{policy: p})}
	w.accountant = accountant{
		policy: p, store: db, stored: func() {}, streams: []counting.Stream{stream}, log: slog.New(slog.DiscardHandler),
	}
	if err := w.recall(); err != nil {
		t.Fatal(err)
	}
	return w
}

// An uplink that was killed before it could say that a window is stored gets
// that window again. Cleared again, it would have another noise.
func TestAWindowThatComesAgainIsNotClearedAgain(t *testing.T) {
	path, p := filepath.Join(t.TempDir(), "spool"), policy.Demo()
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	window := func(n uint64) []parcel.Message {
		from := start.Add(time.Duration(n) * p.Window())
		return []parcel.Message{
			&parcel.Window{N: n, Start: parcel.At(from), End: parcel.At(from.Add(p.Window())), Mono: time.Duration(n) * time.Minute, Tallies: 1},
			parcel.Pack(n, 0, counting.Tally{Observed: p.Window()}),
		}
	}
	for life, ns := range [][]uint64{{1, 2}, {2, 3}} {
		w := writerOn(t, path, p)
		for _, n := range ns {
			for _, m := range window(n) {
				if got, err := w.take(m); err != nil || got != 0 && got != n {
					t.Fatalf("window %d: stored %d, %v", n, got, err)
				}
			}
		}
		stored := 0
		if err := w.store.Each(func(store.Item) error { stored++; return nil }); err != nil {
			t.Fatal(err)
		}
		if want := 2 + life; stored != want {
			t.Errorf("%d windows stored, want %d", stored, want)
		}
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheUplinkTakesNothingOutOfOrder(t *testing.T) {
	p := policy.Demo()
	window := &parcel.Window{N: 1, Start: 0, End: 1, Tallies: 1}
	for name, ms := range map[string][]parcel.Message{
		"a tally without a window":  {parcel.Pack(1, 0, counting.Tally{})},
		"a window in a window":      {window, window},
		"another number of streams": {&parcel.Window{N: 1, Start: 0, End: 1, Tallies: 2}},
		"another stream":            {window, parcel.Pack(1, 3, counting.Tally{})},
	} {
		w := writerOn(t, filepath.Join(t.TempDir(), "spool"), p)
		var err error
		for _, m := range ms {
			if err == nil {
				_, err = w.take(m)
			}
		}
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// Counting goes on within moments after a few kills in a row, and a process
// that always dies costs little.
func TestRestsGrowOnlyAfterManyShortLives(t *testing.T) {
	for quick, want := range map[int]time.Duration{1: shortRest, 5: shortRest, 6: 2 * shortRest, 9: 16 * shortRest, 14: longRest, 1000: longRest} {
		if got := pause(quick); got != want {
			t.Errorf("after %d short lives: %s, want %s", quick, got, want)
		}
	}
}
