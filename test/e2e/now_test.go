package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kerb/agent/busyness"
	"kerb/agent/policy"
	"kerb/agent/publisher"
	"kerb/agent/state"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/configs/configstest"
	"kerb/counting"
)

// operational is a policy with an alert for the people of the plaza.
const operational = `schema = "kerb.policy/1"
version = 1
purpose = "operational"
count = {streams = ["zone"], classes = ["person"]}
clear = {window = "1m", method = "bands", bands = [5, 10, 20]}
keep.retention = "168h"
alert = [{stream = "plaza", class = "person", raise = 20, clear = 10, for = "1m"}]
`

// A busyDevice is the uplink and the spool of a device with an operational policy.
type busyDevice struct {
	t     *testing.T
	pol   *policy.Policy
	path  string
	store *store.Store
	next  int // window
}

func newBusyDevice(t *testing.T) *busyDevice {
	t.Helper()
	p, err := policy.Parse("policy.toml", []byte(operational))
	if err != nil {
		t.Fatal(err)
	}
	d := &busyDevice{t: t, pol: p, path: filepath.Join(t.TempDir(), state.SpoolFile)}
	d.open()
	return d
}

// open opens the spool, with the wall clock near the windows.
func (d *busyDevice) open() {
	d.t.Helper()
	s, err := store.Open(d.path, store.DeriveWith(busyness.New(d.pol.Alerts()).Derive), store.WallClock(func() time.Time { return busyStart }))
	if err != nil {
		d.t.Fatal(err)
	}
	d.store = s
	d.t.Cleanup(func() { s.Close() })
}

var busyStart = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

// store a window of the zones plaza and square; below 0 people it is a gap.
func (d *busyDevice) add(people int) {
	d.t.Helper()
	var rs []policy.Release
	for _, id := range []string{"plaza", "square"} {
		start := busyStart.Add(time.Duration(d.next) * time.Minute)
		tally := counting.Tally{Stream: id, Kind: counting.ZoneStream, Start: start, End: start.Add(time.Minute), Observed: time.Minute, Mono: time.Hour + time.Duration(d.next)*time.Minute}
		if people < 0 {
			tally.Quality, tally.Reason, tally.Observed = counting.Gap, counting.ReasonCameraLost, 0
		}
		tally.Counted[counting.Person], tally.Presence[counting.Person] = true, time.Duration(max(people, 0))*time.Minute
		r, err := d.pol.Clear(tally)
		if err != nil {
			d.t.Fatal(err)
		}
		rs = append(rs, r)
	}
	d.next++
	if _, err := d.store.Append(rs); err != nil {
		d.t.Fatal(err)
	}
}

func (d *busyDevice) opts(b *mosquitto) uplink.Opts {
	return uplink.Opts{
		Broker: b.url(), User: "pi", Store: d.store, AckTimeout: time.Second, KeepsNow: d.pol.KeepsNow(), Busyness: busyness.New(d.pol.Alerts()),
		Birth: uplink.Birth{Window: time.Minute, Alerts: d.pol.Alerts(), Streams: []uplink.Stream{{ID: "plaza", Kind: "zone"}, {ID: "square", Kind: "zone"}}},
	}
}

// A nowMessage is a message of schema kerb.now/1.
type nowMessage struct {
	Stream string `json:"stream"`
	Window struct {
		Seq     uint64 `json:"seq"`
		Quality string `json:"quality"`
	} `json:"window"`
	Busy []struct {
		Class string `json:"class"`
		On    bool   `json:"on"`
		Since uint64 `json:"since_seq"`
	} `json:"busy"`
}

// present returns what a subscriber that comes now gets of a stream, and the length of
// the message; ok is false for none.
func present(t *testing.T, b *mosquitto, stream string) (m nowMessage, size int, ok bool) {
	t.Helper()
	late := newSinkAs(t, b.url(), "late-"+time.Now().Format("150405.000000000"))
	await(t, "the end of what is retained", func() bool {
		late.client.Publish("kerb/v1/test/test/test/marker", 1, false, "{}").WaitTimeout(time.Second)
		return late.kinds()["marker"] > 0
	})
	late.client.Disconnect(100)
	for _, p := range late.everything() {
		if !p.retained || !strings.HasSuffix(p.Topic, "/now/"+stream) {
			continue
		}
		if err := configstest.Validate(t, "now", []byte(p.Payload)); err != nil {
			t.Error(err)
		}
		if err := json.Unmarshal([]byte(p.Payload), &m); err != nil {
			t.Fatal(err)
		}
		return m, len(p.Payload), true
	}
	return m, 0, false
}

// A subscriber that comes late sees the last window and whether it is busy; who listens
// all the time gets one event for each change, also after restarts of kerb and while a
// zone is not seen.
func TestALateSubscriberSeesThePresentState(t *testing.T) {
	t.Parallel()
	b, _ := startWithACL(t, aclRight)
	k := newSink(t, b.url())
	d := newBusyDevice(t)
	var u *uplink.Uplink
	var stop func()
	start := func() { u, stop = run(t, d.opts(b)) }
	start()
	sizes := map[int]bool{}
	for i, c := range []struct {
		people int
		on     bool
		since  uint64
		events int
	}{{0, false, 0, 0}, {25, true, 2, 1}, {15, true, 2, 1}, {-1, true, 2, 1}, {9, false, 0, 2}, {12, false, 0, 2}, {30, true, 7, 3}} {
		d.add(c.people)
		u.Wake()
		until(t, "the last window", func() bool {
			m, size, ok := present(t, b, "plaza")
			if !ok || m.Window.Seq != uint64(i+1) {
				return false
			}
			if len(m.Busy) != 1 || m.Busy[0].On != c.on || m.Busy[0].Since != c.since || (m.Window.Quality == "gap") != (c.people < 0) {
				t.Fatalf("window %d: %+v", i+1, m)
			}
			if c.people >= 0 {
				sizes[size] = true
			}
			return true
		})
		until(t, "the events", func() bool { return len(busyEvents(k)) == c.events })
		if i == 2 || i == 5 { // it is on, and off, across an end of the process
			stop()
			if err := d.store.Close(); err != nil {
				t.Fatal(err)
			}
			d.open()
			start()
		}
	}
	if len(sizes) != 1 {
		t.Errorf("the length of a message depends on the state: %v", sizes)
	}
	if m, _, ok := present(t, b, "square"); !ok || m.Busy != nil || m.Window.Seq != 7 {
		t.Errorf("a zone without an alert: %+v", m)
	}
	want := []string{`"on":true,"since":"2026-11-23T14:01:00Z"`, `"on":false,"since":"2026-11-23T14:01:00Z"`, `"on":true,"since":"2026-11-23T14:06:00Z"`}
	for i, e := range busyEvents(k) {
		if !strings.Contains(e, want[i]) {
			t.Errorf("event %d: %s, want %s", i, e, want[i])
		}
	}
}

// busyEvents returns the events "busy" that came, each once.
func busyEvents(k *sink) (all []string) {
	for _, e := range k.messages("event") {
		if strings.Contains(e, `"kind":"busy"`) && !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}

// A broker that denies now holds everything back, and the line that it lacks is told.
func TestTheTopicNowIsProven(t *testing.T) {
	t.Parallel()
	b, change := startWithACL(t, "topic deny "+ownTopics+"now/#\n"+aclRight)
	d := newBusyDevice(t)
	d.add(25)
	u, _ := run(t, d.opts(b))
	want := "topic readwrite " + ownTopics + "now/#"
	until(t, "the verdict", func() bool { st := u.Status(); return len(st.ACL) == 2 && st.ACL[1] == want })
	if err := u.CheckConnection(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("check -connect: %v", err)
	}
	if _, _, ok := present(t, b, "plaza"); ok || u.IsOnline() {
		t.Error("the control failed: the broker passes it on")
	}
	change(aclRight)
	until(t, "the last window", func() bool { m, _, ok := present(t, b, "plaza"); return ok && m.Busy[0].On && u.IsOnline() })
}

// A policy that keeps no last window any more clears what an earlier one kept, and a
// broker that denies even that holds nothing back.
func TestALastWindowThatIsNoLongerKeptIsCleared(t *testing.T) {
	t.Parallel()
	b, change := startWithACL(t, aclRight)
	d := newBusyDevice(t)
	d.add(25)
	_, stop := run(t, d.opts(b))
	until(t, "the last window", func() bool { _, _, ok := present(t, b, "square"); return ok })
	d.add(0) // the status is written with a window
	stop()
	o := d.opts(b)
	o.KeepsNow = false
	_, stop = run(t, o)
	until(t, "the end of it", func() bool {
		_, _, plaza := present(t, b, "plaza")
		_, _, square := present(t, b, "square")
		return !plaza && !square && len(d.store.Shown()) == 0
	})
	stop()
	d.store.SetShown([]string{"plaza"})
	change("topic deny " + ownTopics + "now/#\n" + aclRight)
	d.add(0)
	u, _ := run(t, o)
	until(t, "the windows", func() bool { return u.IsOnline() && d.store.Stats().Pending == 0 && len(d.store.Shown()) == 0 })
}

// kerb wipe clears at the broker the last windows that the spool says are
// kept, of a device that is stopped.
func TestAWipedDeviceLeavesNoLastWindow(t *testing.T) {
	t.Parallel()
	b, _ := startWithACL(t, aclRight)
	d := newBusyDevice(t)
	d.add(25)
	o := d.opts(b)
	_, stop := run(t, o)
	until(t, "the last windows", func() bool {
		_, _, plaza := present(t, b, "plaza")
		_, _, square := present(t, b, "square")
		return plaza && square
	})
	stop()
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	shown := publisher.ShownStreams(filepath.Dir(d.path))
	if len(shown) != 2 {
		t.Fatalf("the spool says that %v are kept", shown)
	}
	o.Tenant, o.Site, o.Device = "acme", "north", "pi-0a1b"
	if err := uplink.ClearRetained(t.Context(), o, shown); err != nil {
		t.Fatal(err)
	}
	if left := b.retained(t); len(left) > 0 {
		t.Errorf("after the wipe the broker retains %v", left)
	}
}
