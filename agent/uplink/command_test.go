package uplink

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerb/agent/retry"
	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

func testUplink(t *testing.T, allow func(string) bool) *Uplink {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "spool"), store.WallClock(func() time.Time { return storetest.FirstStart }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	u, err := New(Opts{
		Broker: "mqtt://127.0.0.1:1", Tenant: "acme", Site: "north", Device: "pi-0a1b", Store: s, AllowVerb: allow,
	})
	if err != nil {
		t.Fatal(err)
	}
	u.now = func() time.Time { return storetest.FirstStart }
	return u
}

func TestACommandIsObeyedOnceWhileItIsValidAndAllowed(t *testing.T) {
	sch := loadSchemas(t)
	u := testUplink(t, func(verb string) bool { return verb == verbResend })
	es, err := u.o.Store.Append(storetest.MakeWindows(storetest.StreamNames(1), 0))
	if err != nil || u.o.Store.AckWindows(es) != nil {
		t.Fatal(err)
	}
	command := func(id, verb, expires string) string {
		return fmt.Sprintf(`{"schema":"kerb.cmd/1","id":%q,"verb":%q,"expires":%q,"epoch":%q,"stream":"stream-0","from":1,"to":9}`,
			id, verb, expires, es[0].Epoch)
	}
	soon := storetest.FirstStart.Add(time.Minute).Format(time.RFC3339)
	for _, c := range []struct{ cmd, want string }{
		{command("a", "resend", soon), ""},
		{command("a", "resend", soon), "heard before"},
		{command("b", "resend", "2026-11-23T14:00:00Z"), "expired"},
		{command("c", "resend", "2026-11-25T14:00:00Z"), "expires more than"},
		{command("d", "watermark", soon), "not allowed"},
		{command("e", "reboot", soon), "unknown verb"},
		{strings.Replace(command("f", "resend", soon), `"from":1`, `"from":10`, 1), "in order"},
		{strings.Replace(command("g", "resend", soon), `"from":1`, `"from":1,"shell":"rm"`, 1), "none"},
		{`[]`, "none"},
		{``, "none"},
		{strings.Repeat(" ", maxCommandBytes) + command("h", "resend", soon), "none"},
	} {
		s := &session{u: u, scheduler: newScheduler(u, u.o.Store.Stats(), time.Now())}
		s.handleCommand([]byte(c.cmd))
		if c.want == "none" {
			if len(s.scheduler.urgent) != 0 {
				t.Errorf("%s was answered", c.cmd)
			}
			continue
		}
		if len(s.scheduler.urgent) != 1 {
			t.Errorf("%s: %d answers", c.cmd, len(s.scheduler.urgent))
			continue
		}
		b := s.scheduler.urgent[0].payload
		var a answer
		if err := json.Unmarshal(b, &a); err != nil || a.OK != (c.want == "") || !strings.Contains(a.Error, c.want) {
			t.Errorf("%s: %s", c.cmd, b)
		}
		if err := sch.validate("ack", b); err != nil {
			t.Errorf("%s: %v", b, err)
		}
		if err := sch.validate("cmd", []byte(c.cmd)); (err == nil) != (a.Error != "unknown verb") {
			t.Errorf("schema of cmd on %s: %v", c.cmd, err)
		}
	}
	if n := u.o.Store.Stats().Pending; n != 1 {
		t.Errorf("%d windows pending after the resend", n)
	}
}

func TestNoCommandIsHeardUnlessOneIsAllowed(t *testing.T) {
	for _, c := range []struct {
		allow func(string) bool
		want  bool
	}{
		{nil, false},
		{func(string) bool { return false }, false},
		{func(v string) bool { return v == verbWatermark }, true},
	} {
		if got := testUplink(t, c.allow).acceptsCommands(); got != c.want {
			t.Errorf("listens: %v, want %v", got, c.want)
		}
	}
}

func FuzzACommandThatPassesIsOneThatTheSchemaAllows(f *testing.F) {
	f.Add([]byte(`{"schema":"kerb.cmd/1","id":"a","verb":"resend","expires":"2026-11-23T14:00:00Z","epoch":"7b0c0000-0000-4000-8000-000000000000","stream":"n","from":1,"to":9}`))
	f.Add([]byte(`{"schema":"kerb.cmd/1","id":"a","verb":"watermark","expires":"2026-11-23T14:00:00Z","epoch":"e","stream":"n","to":18446744073709551615}`))
	f.Add([]byte(`{"id":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseCommand(b)
		if err != nil {
			return
		}
		if !isTopicLevel(c.ID) || !isTopicLevel(c.Stream) || !isTopicLevel(c.Epoch) || c.To == 0 || c.Verb == verbResend && c.From > c.To {
			t.Errorf("%q gave %+v", b, c)
		}
	})
}

func TestABrokerURLIsAHostAndNoPassword(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"mqtt://broker", "broker:1883"},
		{"mqtts://broker:8884", "broker:8884"},
		{"wss://broker/mqtt", "broker:443"},
		{"http://broker", "must begin"},
		{"broker:1883", "must begin"},
		{"mqtt://", "no host"},
		{"mqtt://kerb:secret@broker", "no place for a password"},
	} {
		b, err := parseBroker(c.url)
		if err == nil && b.Host != c.want || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v, %v", c.url, b, err)
		}
	}
}

func TestRetriesSpreadOverABoundThatDoubles(t *testing.T) {
	u := testUplink(t, nil)
	for tries, bound := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		var least, most time.Duration = time.Hour, 0
		for range 2000 {
			d := retry.JitteredDelay(u.o.RetryMin, u.o.RetryMax, tries)
			least, most = min(least, d), max(most, d)
		}
		if bound *= time.Second; most > bound+time.Millisecond || most < bound*9/10 || least > bound/10 {
			t.Errorf("try %d: %s–%s, want 0–%s", tries, least, most, bound)
		}
	}
}
