package publisher

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"kerb/agent/admission"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
)

// atNoon is a wall clock within the retention of the windows of the tests.
var atNoon = store.WallClock(func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) })

// newPublisher returns a publisher with one stream, on the spool at path.
func newPublisher(t *testing.T, path string, pol *policy.Policy) *publisher {
	t.Helper()
	boot := clock.BootID()
	db, err := store.Open(path, atNoon, store.StampWith(func() (string, bool) { return boot, true }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	stream := counting.Stream{ID: "kerb", Kind: counting.LineStream, Classes: []counting.Class{counting.Person}}
	site := &config.Site{}
	p := &publisher{site: site, out: io.Discard, state: newDeviceState(site, admission.Decision{Policy: pol})}
	p.Clearer = Clearer{
		Policy: pol, Store: db, OnStored: func() {}, Streams: []counting.Stream{stream}, Log: slog.New(slog.DiscardHandler),
	}
	if err := p.recallLastWindow(); err != nil {
		t.Fatal(err)
	}
	return p
}

// windowRecords returns window n, cleared as the supervisor clears it.
func windowRecords(t *testing.T, pol *policy.Policy, n uint64) []ipc.Record {
	t.Helper()
	from := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * pol.Window())
	mono := time.Duration(n)*time.Minute + 345*time.Microsecond
	r, err := pol.Clear(counting.Tally{
		Stream: "kerb", Kind: counting.LineStream, Start: from, End: from.Add(pol.Window()), Mono: mono, Observed: pol.Window(),
		Counted: [counting.Classes]bool{counting.Person: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	parts, err := ipc.PackRelease(n, 0, stored)
	if err != nil {
		t.Fatal(err)
	}
	return append([]ipc.Record{
		&ipc.Window{N: n, Start: ipc.ToInstant(from), End: ipc.ToInstant(from.Add(pol.Window())), Mono: mono, Streams: 1},
	}, parts...)
}

// The supervisor sends a window again when the uplink was killed before it confirmed it.
func TestAWindowThatArrivesAgainIsNotStoredAgain(t *testing.T) {
	path, pol := filepath.Join(t.TempDir(), "spool"), policy.Demo()
	for life, ns := range [][]uint64{{1, 2}, {2, 3}} {
		p := newPublisher(t, path, pol)
		for _, n := range ns {
			for _, m := range windowRecords(t, pol, n) {
				if got, err := p.handleRecord(m); err != nil || got != 0 && got != n {
					t.Fatalf("window %d: stored %d, %v", n, got, err)
				}
			}
		}
		stored := 0
		if err := p.Store.EachWindow(func(store.Item) error { stored++; return nil }); err != nil {
			t.Fatal(err)
		}
		if want := 2 + life; stored != want {
			t.Errorf("%d windows stored, want %d", stored, want)
		}
		if err := p.Store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Exact counts, parts out of their order and bytes that no policy has made end the
// process.
func TestRecordsThatAreNoClearedWindowAreRefused(t *testing.T) {
	pol := policy.Demo()
	window := &ipc.Window{N: 1, Start: 0, End: 1, Streams: 1}
	good := windowRecords(t, pol, 1)
	forged := *good[1].(*ipc.Release)
	forged.Bytes[0] ^= 1
	other := *good[1].(*ipc.Release)
	other.Stream = 3
	for name, ms := range map[string][]ipc.Record{
		"a part without a window":   {good[1]},
		"a window in a window":      {window, window},
		"another number of streams": {&ipc.Window{N: 1, Start: 0, End: 1, Streams: 2}},
		"another stream":            {window, &other},
		"a part twice":              {window, good[1], good[1]},
		"another form":              append([]ipc.Record{window, &forged}, good[2:]...),
		"exact counts":              {window, ipc.PackTally(1, 0, counting.Tally{})},
	} {
		p := newPublisher(t, filepath.Join(t.TempDir(), "spool"), pol)
		var err error
		for _, m := range ms {
			if err == nil {
				_, err = p.handleRecord(m)
			}
		}
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// A board without a battery starts in the past, and a time server answers later.
func TestTheGapBeforeAStartIsFilledAlthoughItsFirstWindowsWereRelabelled(t *testing.T) {
	path, pol := filepath.Join(t.TempDir(), "spool"), policy.Demo()
	length := pol.Window()
	boot, synced := "boot-1", true
	db, err := store.Open(path, atNoon, store.HoldUnsynced(), store.StampWith(func() (string, bool) { return boot, synced }))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	stream := counting.Stream{ID: "kerb", Kind: counting.LineStream, Classes: []counting.Class{counting.Person}}
	c := Clearer{Policy: pol, Store: db, OnStored: func() {}, Streams: []counting.Stream{stream}, Log: slog.New(slog.DiscardHandler)}
	window := func(start time.Time, mono time.Duration) []counting.Tally {
		return []counting.Tally{{
			Stream: "kerb", Kind: counting.LineStream, Start: start, End: start.Add(length), Mono: mono, Observed: length,
			Counted: [counting.Classes]bool{counting.Person: true},
		}}
	}
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	if err := c.ClearAndStore(window(noon.Add(-length), time.Hour), true); err != nil {
		t.Fatal(err)
	}
	// Ten windows later, in another boot, with a clock in 1970.
	boot, synced = clock.BootID(), false
	c.StartMono = 10 * time.Second
	if err := c.ClearAndStore(window(time.Unix(0, 0).UTC(), c.StartMono+length), false); err != nil {
		t.Fatal(err)
	}
	begun := noon.Add(10 * length)
	now := clock.Reading{Wall: begun.Add(2 * length), Mono: c.StartMono + 2*length, Synced: true}
	c.RelabelHeld(now)
	synced = true
	if err := c.FillDownGaps(now); err != nil {
		t.Fatal(err)
	}
	var labels []time.Time
	gaps := 0
	if err := db.EachWindow(func(i store.Item) error {
		labels = append(labels, i.Release.StartTime())
		if i.Release.Quality() == counting.Gap {
			gaps++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if gaps != 10 || len(labels) != 12 || !labels[1].Equal(begun) {
		t.Errorf("%d gaps, windows of %v", gaps, labels)
	}
}

// An event that comes without a window, and a sensor that ceases to deliver, do not wait
// for the uplink's next look at the spool.
func TestAnEventWakesTheUplink(t *testing.T) {
	site := &config.Site{Cameras: []config.Camera{{Name: "north"}}}
	p := newPublisher(t, filepath.Join(t.TempDir(), "spool"), policy.Demo())
	p.site, p.state.site = site, site
	woken := 0
	p.OnStored = func() { woken++ }
	for _, c := range []struct {
		record ipc.Record
		wakes  int
	}{
		{&ipc.CameraLost{N: 1, On: true, Why: ipc.CameraLossNumber("login")}, 1},
		{&ipc.Heartbeat{Delivering: true}, 1},
		{&ipc.Heartbeat{Delivering: true, Pictures: 8}, 0},
		{&ipc.Heartbeat{Pictures: 8}, 1},
	} {
		var in bytes.Buffer
		if err := ipc.WriteRecord(&in, c.record); err != nil {
			t.Fatal(err)
		}
		woken = 0
		if err := p.readRecords(&in); !errors.Is(err, io.EOF) || woken != c.wakes {
			t.Errorf("%+v: woken %d times, %v", c.record, woken, err)
		}
	}
}
