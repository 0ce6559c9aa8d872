package uplink

import (
	"bytes"
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/agent/store/storetest"
	"kerb/configs"
	"kerb/configs/configstest"
	"kerb/counting"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// schemas are the shipped JSON Schemas, closed to keys that they do not list.
type schemas struct{ configstest.Schemas }

func loadSchemas(t testing.TB) schemas { return schemas{configstest.LoadClosed(t)} }

func (s schemas) validate(name string, b []byte) error { return s.Check(name, b) }

// everyWindow returns windows of every kind that a shipped policy allows, cleared by it.
func everyWindow(t *testing.T) (out []store.Entry) {
	t.Helper()
	for _, name := range []string{"standard", "strict", "traffic", "suppress", "busyness"} {
		text, err := configs.ReadPolicy(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := policy.Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []counting.Kind{counting.LineStream, counting.ZoneStream, counting.LoopStream} {
			if !p.AllowsKind(k) {
				continue
			}
			for n := range 200 {
				y := counting.Tally{
					Stream: "north-kerb", Kind: k, Start: storetest.FirstStart, End: storetest.FirstStart.Add(p.Window()),
					Mono: 8642 * time.Second, Observed: p.Window(),
				}
				if k == counting.ZoneStream && n%3 == 0 {
					y.Polled, y.Instants = true, 3
				}
				if n%5 == 4 {
					y.Quality, y.Reason, y.Observed = counting.Gap, counting.ReasonCameraLost, 0
				}
				for c := counting.Person; c <= counting.Vehicle; c++ {
					if y.Counted[c] = p.AllowsClass(c); y.Counted[c] {
						y.Crossings[c][counting.AToB] = uint32(n * n)
						y.Presence[c] = time.Duration(n) * y.Observed / 4
						y.Peak[c] = uint32(n)
					}
				}
				r, err := p.Clear(y)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				out = append(out, store.Entry{
					Epoch: "7b0c0000-0000-4000-8000-000000000000", Seq: 184467, Release: r,
					Boot: "b1940000-0000-4000-8000-000000000000", Synced: n%2 == 0,
					Part: []uint32{0, 0, 2, 9}[n%4], Relabelled: n%8 == 0,
				})
			}
		}
	}
	return out
}

func TestEveryWindowThatAPolicyCanClearFitsTheSchema(t *testing.T) {
	sch, es := loadSchemas(t), everyWindow(t)
	for _, e := range es {
		if b := EncodeWindow(Address{"camden", "high-street", "pi-0a1b"}, e); sch.validate("count", b) != nil {
			t.Fatalf("%s\n%v", b, sch.validate("count", b))
		}
	}
	for _, m := range testUplink(t, nil).packLate("d", maxLateWindows, es) {
		if err := sch.validate("backfill", m.payload); err != nil || len(m.payload) > maxLateBytes {
			t.Fatalf("%d bytes: %v", len(m.payload), err)
		}
	}
}

// The control: a schema that accepts anything would prove no property.
func TestTheSchemaRefusesAGapWithCountsAndAWindowWithout(t *testing.T) {
	sch := loadSchemas(t)
	b := EncodeWindow(Address{"camden", "high-street", "pi-0a1b"}, everyWindow(t)[0])
	for _, swap := range [][2]string{
		{`"quality":"ok"`, `"quality":"gap"`}, {`"counts":[`, `"cuonts":[`}, {`"seq":184467`, `"seq":0`}, {`"person"`, `"dog"`},
	} {
		if bad := bytes.Replace(b, []byte(swap[0]), []byte(swap[1]), 1); bytes.Equal(bad, b) || sch.validate("count", bad) == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

// newTestSession returns a session without a connection.
func newTestSession(u *Uplink) *session {
	return &session{u: u, proof: newProof(u), connectedAt: u.now(), scheduler: newScheduler(u, u.o.Store.Stats(), time.Now())}
}

func TestStateMetaAndEventsFitTheirSchemas(t *testing.T) {
	sch := loadSchemas(t)
	u := testUplink(t, nil)
	u.o.Birth = Birth{
		Version: "v1.0.0", Window: time.Minute, Place: &Place{Name: "Kerb Street"},
		Streams:  []Stream{{ID: "north", Kind: "line", Classes: []string{"person"}, Directions: []string{"a_to_b"}, Sides: &Sides{"house", "road"}}},
		Policy:   Policy{Hash: policy.Demo().Hash()},
		Clearing: policy.Demo().DescribeClearing(counting.LineStream, counting.ZoneStream),
	}
	u.o.AgentReport = func() map[string]any {
		return map[string]any{"walls": map[string]any{"uplink": map[string]any{"hold": 46, "open": []string{}, "landlock": 7}}}
	}
	if _, err := u.o.Store.Append(storetest.MakeWindows(storetest.StreamNames(2), 0)); err != nil {
		t.Fatal(err)
	}
	u.o.Store.AddNote("store_recovered", map[string]any{"windows": 7})
	st := u.o.Store.Stats()
	failed := st
	failed.Fault = syscall.ENOSPC
	x := newTestSession(u)
	if b := x.encodeState(failed).payload; sch.validate("state", b) != nil || !bytes.Contains(b, []byte(`"health":"memory","why":"no space`)) {
		t.Errorf("%s\n%v", b, sch.validate("state", b))
	}
	plain := x.encodeState(st).payload
	x.proof.onDenied(&deniedError{u.base + "count/north", whyNotGivenBack}, time.Now())
	u.twins.seen["other"] = &sighting{twin: true, at: time.Now(), epoch: st.Epoch}
	full := x.encodeState(st).payload
	if !bytes.Contains(full, []byte(`"denied":["count/north"],"twin":{"epoch":"`)) {
		t.Errorf("%s", full)
	}
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"meta", u.encodeMeta().payload},
		{"state", plain},
		{"state", full},
		{"state", x.encodeGoodbye()},
		{"event", u.encodeEvent(u.o.Store.PendingNotes()[0]).payload},
		{"proof", u.encodeProof(u.base+"count/north", x.nextSerial()).payload},
		{"state", u.encodeLastWill(1)},
	} {
		if err := sch.validate(c.name, c.b); err != nil {
			t.Errorf("%s\n%v", c.b, err)
		}
	}
	var will map[string]any
	if err := json.Unmarshal(u.encodeLastWill(1), &will); err != nil || len(will) != 7 || will["online"] != false || will["why"] != "lost" {
		t.Errorf("Last Will %v, %v", will, err)
	}
}
