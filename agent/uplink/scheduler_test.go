package uplink

import (
	"strings"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

func appendWindows(t *testing.T, u *Uplink, streams []string, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := u.o.Store.Append(storetest.MakeWindows(streams, i)); err != nil {
			t.Fatal(err)
		}
	}
}

// reopenStore reopens the store at path, so that its backlog is late.
func reopenStore(t *testing.T, u *Uplink, path string) {
	t.Helper()
	if err := u.o.Store.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(path, store.WallClock(func() time.Time { return storetest.FirstStart }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	u.o.Store = s
}

// drainAll takes and settles all messages, and returns them.
func drainAll(t *testing.T, f *scheduler, now *time.Time) (out []message) {
	t.Helper()
	for {
		m, ok, wait, err := f.nextMessage(*now, true)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			if err := f.settleMessage(m); err != nil {
				t.Fatal(err)
			}
			out = append(out, m)
		} else if wait == 0 {
			return out
		}
		*now = now.Add(wait)
	}
}

func uplinkWithBacklog(t *testing.T, streams []string, n int) *Uplink {
	t.Helper()
	u := testUplink(t, nil)
	path := t.TempDir() + "/spool"
	reopenStore(t, u, path)
	var rs []policy.Release
	for i := range n {
		rs = append(rs, storetest.MakeWindows(streams, i)...)
	}
	if _, err := u.o.Store.Append(rs); err != nil {
		t.Fatal(err)
	}
	reopenStore(t, u, path)
	return u
}

func TestLateWindowsGoInArraysOfOneStreamBehindLiveOnes(t *testing.T) {
	streams := storetest.StreamNames(2)
	u := uplinkWithBacklog(t, streams, 100)
	f, now := newScheduler(u, u.o.Store.Stats(), storetest.FirstStart), storetest.FirstStart
	first, ok, _, err := f.nextMessage(now, true)
	if err != nil || !ok || !first.late || len(first.entries) != 60 {
		t.Fatalf("%d windows, late %v, %v", len(first.entries), first.late, err)
	}
	appendWindows(t, u, streams, 100, 102)
	var kinds []string
	for _, m := range append(drainAll(t, f, &now), first) {
		if len(m.payload) > maxLateBytes {
			t.Errorf("%d bytes", len(m.payload))
		}
		for i, e := range m.entries {
			if e.Release.Stream() != m.entries[0].Release.Stream() || i > 0 && e.Seq != m.entries[i-1].Seq+1 {
				t.Errorf("%s holds %s %d", m.topic, e.Release.Stream(), e.Seq)
			}
		}
		kinds = append(kinds, strings.Split(m.topic, "/")[5])
	}
	if got := strings.Join(kinds, " "); got != "count count count count backfill backfill backfill backfill" {
		t.Error(got)
	}
	if n := u.o.Store.Stats().Pending; n != 60 {
		t.Errorf("%d windows pending, want the 60 not settled", n)
	}
}

func TestLateWindowsGoOldestOrNewestFirst(t *testing.T) {
	for newest, want := range map[bool]uint64{false: 1, true: 941} {
		u := uplinkWithBacklog(t, storetest.StreamNames(1), 1000)
		u.o.NewestFirst = newest
		f := newScheduler(u, u.o.Store.Stats(), storetest.FirstStart)
		m, _, _, err := f.nextMessage(storetest.FirstStart, true)
		if err != nil || m.entries == nil {
			t.Fatal(err)
		}
		if m.entries[0].Seq != want {
			t.Errorf("newest %v begins with %d, want %d", newest, m.entries[0].Seq, want)
		}
	}
}

func TestPaceAndCapHoldLateWindowsBackAndNoOthers(t *testing.T) {
	for name, set := range map[string]func(*Opts){
		"pace": func(o *Opts) { o.LateInterval = 10 * time.Second },
		"cap":  func(o *Opts) { o.LateByteRate = 2000 },
	} {
		t.Run(name, func(t *testing.T) {
			u := uplinkWithBacklog(t, storetest.StreamNames(4), 200)
			set(&u.o)
			f, now := newScheduler(u, u.o.Store.Stats(), storetest.FirstStart), storetest.FirstStart
			if _, ok, _, err := f.nextMessage(now, true); !ok || err != nil {
				t.Fatal(err)
			}
			if _, ok, wait, err := f.nextMessage(now, true); ok || wait <= 0 || err != nil {
				t.Fatalf("not held back: %v, %s, %v", ok, wait, err)
			}
			appendWindows(t, u, storetest.StreamNames(4), 200, 201)
			if m, ok, _, err := f.nextMessage(now, true); !ok || m.late || err != nil {
				t.Fatalf("a live window was held back: %v", err)
			}
			bytes := 0
			for _, m := range drainAll(t, f, &now) {
				bytes += m.wireSize()
			}
			took := now.Sub(storetest.FirstStart).Seconds()
			if rate := float64(bytes) / took; name == "cap" && (rate > 2300 || rate < 1500) || name == "pace" && took < 130 {
				t.Errorf("%d bytes in %.0f s", bytes, took)
			}
		})
	}
}

func TestWindowsAskedForAgainAreSentAgainAndLiveOnesThatPileUpTurnLate(t *testing.T) {
	streams := storetest.StreamNames(1)
	u := uplinkWithBacklog(t, streams, 10)
	f, now := newScheduler(u, u.o.Store.Stats(), storetest.FirstStart), storetest.FirstStart
	if n := len(drainAll(t, f, &now)); n != 1 {
		t.Fatalf("%d messages", n)
	}
	if _, err := u.o.Store.Resend(u.o.Store.Stats().Epoch, "stream-0", 3, 5); err != nil {
		t.Fatal(err)
	}
	f.rescan = true
	if m := drainAll(t, f, &now); len(m) != 1 || len(m[0].entries) != 3 {
		t.Errorf("%d messages", len(m))
	}
	appendWindows(t, u, streams, 10, 110) // while nothing could be sent
	m := drainAll(t, f, &now)
	live := 0
	for _, m := range m {
		if !m.late {
			live++
		}
	}
	if u.o.Store.Stats().Pending != 0 || live > maxLive || live == 0 {
		t.Errorf("%d pending, %d of %d messages live", u.o.Store.Stats().Pending, live, len(m))
	}
	var rs []policy.Release // gaps of a night without power, all at once
	for i := range 300 {
		rs = append(rs, storetest.MakeWindows(streams, 200+i)...)
	}
	if _, err := u.o.Store.Append(rs); err != nil {
		t.Fatal(err)
	}
	m = drainAll(t, f, &now)
	if u.o.Store.Stats().Pending != 0 || len(m) > maxLive+300/maxLateWindows+1 {
		t.Errorf("%d pending, %d messages", u.o.Store.Stats().Pending, len(m))
	}
}

func TestASlowLinkGetsSmallerMessagesUntilTheyPass(t *testing.T) {
	o := newLinkTuning(10 * time.Second)
	var late []int
	for range 7 {
		late = append(late, o.batch)
		o.onMissedAck()
	}
	if got := late[6]; got != 1 || o.timeout != 30*time.Second {
		t.Errorf("windows a message %v, patience %s", late, o.timeout)
	}
	o.onAck(5*time.Second, true) // passes, but not well
	if o.batch != 1 || o.timeout != 30*time.Second {
		t.Errorf("%d windows, patience %s after a slow acknowledgement", o.batch, o.timeout)
	}
	for range 40 {
		o.onAck(time.Second, true)
	}
	if o.batch != maxLateWindows || o.timeout != 10*time.Second {
		t.Errorf("%d windows, patience %s on a link that is well again", o.batch, o.timeout)
	}
	o.onRefusedSize(20)
	for range 40 {
		o.onAck(time.Second, true)
	}
	if o.batch != 10 { // and more after 50 of them
		t.Errorf("%d windows for a broker that refused 20", o.batch)
	}
}

// The broker keeps the retained message that comes last, so two of one topic must not be
// under way at once.
func TestOfARetainedTopicOneMessageIsUnderWayAndTheNewestWaits(t *testing.T) {
	u := uplinkWithBacklog(t, storetest.StreamNames(1), 0)
	f, now := newScheduler(u, u.o.Store.Stats(), storetest.FirstStart), storetest.FirstStart
	next := func() string {
		m, ok, _, err := f.nextMessage(now, false)
		if err != nil || !ok {
			return ""
		}
		return string(m.payload)
	}
	for _, payload := range []string{"first", "second"} {
		f.queueRetained(message{topic: "state", payload: []byte(payload), retained: true})
	}
	if got := next(); got != "second" {
		t.Errorf("next is %q, not the newest", got)
	}
	f.queueRetained(message{topic: "state", payload: []byte("third"), retained: true})
	f.queueRetained(message{topic: "meta", payload: []byte("meta"), retained: true})
	if got := next() + next(); got != "meta" {
		t.Errorf("beside a state under way come %q", got)
	}
	delete(f.retained, "state")
	if got := next(); got != "third" {
		t.Errorf("after it comes %q", got)
	}
}
