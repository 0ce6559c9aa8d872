package uplink

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// answerTo runs the commands and returns the answers as they would be published.
func answerTo(u *Uplink, commands ...string) (answers [][]byte) {
	s := &session{u: u, proof: &proof{u: u}, scheduler: newScheduler(u, u.o.Store.Stats(), time.Now()), commands: newCommandQueue()}
	for _, c := range commands {
		s.commands.add([]byte(c))
	}
	for more := true; more; {
		select {
		case <-s.commands.arrived:
			s.runCommands()
		default:
			more = false
		}
		for _, m := range s.scheduler.urgent {
			answers = append(answers, m.payload)
		}
		s.scheduler.urgent = nil
	}
	return answers
}

// commandUplink returns an uplink whose spool has nine acknowledged windows of
// stream-0, and their epoch.
func commandUplink(t *testing.T, allow func(string) bool) (*Uplink, string) {
	t.Helper()
	u := testUplink(t, allow)
	es, err := u.o.Store.Append(storetest.MakeSeries("stream-0", 0, 9))
	if err != nil || u.o.Store.AckWindows(es) != nil {
		t.Fatal(err)
	}
	return u, es[0].Epoch
}

func TestEveryCommandIsAnsweredAndTheAnswerNamesWhatIsWrong(t *testing.T) {
	sch := loadSchemas(t)
	u, epoch := commandUplink(t, func(string) bool { return true })
	soon := storetest.FirstStart.Add(time.Minute).Format(time.RFC3339)
	good := fmt.Sprintf(`{"schema":"kerb.cmd/1","id":"a","verb":"resend","expires":%q,"epoch":%q,"stream":"stream-0","from":1,"to":9}`, soon, epoch)
	const none = "" // an answer that nothing could be recognised by
	for _, c := range []struct{ old, new, id, want string }{
		{"", "", "a", "ok"},
		{`"verb":"resend"`, `"verb":"watermark"`, "a", "ok"},
		{`"verb":"resend"`, `"verb":"reboot"`, "a", `unknown verb "reboot"`},
		{soon, "2026-11-23T14:00:00Z", "a", "expired: expires is 2026-11-23T14:00:00Z, this device's clock"},
		{soon, "2026-11-25T14:00:00Z", "a", "expires more than 24h0m0s ahead"},
		{soon, "tomorrow", "a", "expires: must be a time"},
		{`"expires":"` + soon + `",`, "", "a", "expires is missing"},
		{`"expires":"` + soon + `"`, `"nonce":"made up"`, "a", "nonce: not valid"},
		{epoch, "7b0c0000-0000-4000-8000-000000000000", "a", "epoch 7b0c0000-0000-4000-8000-000000000000: not of this spool"},
		{epoch, "NOT A LEVEL", "a", "epoch: missing"},
		{"stream-0", "stream-1", "a", "stream stream-1: no window of it"},
		{`"stream":"stream-0",`, "", "a", "stream: missing"},
		{`"from":1`, `"from":10`, "a", "from 10 is above to 9"},
		{`"from":1,`, "", "a", "from: missing"},
		{`"from":1`, `"from":-1`, "a", "from: must be a whole number"},
		{`,"to":9`, "", "a", "to: missing"},
		{`"from":1`, `"from":1,"shell":"rm"`, "a", `unknown key "shell"`},
		{`"verb":"resend"`, `"verb":"watermark","to":99,"to":10`, "a", "ok"}, // the last of two is 9
		{`"verb":"resend","expires"`, `"verb":"watermark","from":1,"expires"`, "a", "ok"},
		{`"id":"a"`, `"id":"NOT A LEVEL"`, "NOT A LEVEL", "id: must be 1–64"},
		{`"id":"a"`, `"id":"` + strings.Repeat("ä", 99) + `"`, strings.Repeat("ä", 64), "id: must be 1–64"},
		{"kerb.cmd/1", "kerb.cmd/2", "a", "schema: must be kerb.cmd/1"},
		{good, `{"id":"a"}`, "a", "schema: must be"},
		{good, `{"id":"` + strings.Repeat("a", maxCommandBytes) + `"}`, strings.Repeat("a", 64), "longer than"},
		{`"id":"a"`, `"id":7`, none, ""},
		{good, `[]`, none, ""},
		{good, `null`, none, ""},
		{good, ``, none, ""},
		{good, good + good, none, ""},
		{good, `{"id":"` + strings.Repeat("a", maxIDBytes) + `"}`, none, ""},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		answers := answerTo(u, text)
		if c.id == none {
			if len(answers) != 0 {
				t.Errorf("%.99s was answered", text)
			}
			continue
		}
		if len(answers) != 1 {
			t.Errorf("%.99s: %d answers", text, len(answers))
			continue
		}
		var a answer
		if err := json.Unmarshal(answers[0], &a); err != nil || a.ID != c.id || a.OK != (c.want == "ok") || !a.OK && !strings.Contains(a.Error, c.want) {
			t.Errorf("%.99s: %s, want %s", text, answers[0], c.want)
		}
		if err := sch.validate("ack", answers[0]); err != nil {
			t.Errorf("%s: %v", answers[0], err)
		}
	}
	if n := u.o.Store.Stats().Pending; n != 0 {
		t.Errorf("%d windows pending after the watermark", n)
	}
}

func TestAVerbThatThePolicyForbidsIsRefused(t *testing.T) {
	u, epoch := commandUplink(t, func(verb string) bool { return verb == verbResend })
	b := answerTo(u, fmt.Sprintf(`{"schema":"kerb.cmd/1","id":"a","verb":"watermark","nonce":"n","epoch":%q,"stream":"stream-0","to":9}`, epoch))
	if len(b) != 1 || !strings.Contains(string(b[0]), "watermark: not allowed by the policy") {
		t.Errorf("%s", b)
	}
}

func TestAWatermarkBeyondTheLastNumberIsRefusedAndChangesNothing(t *testing.T) {
	u, epoch := commandUplink(t, func(string) bool { return true })
	soon := storetest.FirstStart.Add(time.Minute).Format(time.RFC3339)
	command := func(verb string, to int) string {
		return fmt.Sprintf(`{"schema":"kerb.cmd/1","id":"a","verb":%q,"expires":%q,"epoch":%q,"stream":"stream-0","from":1,"to":%d}`, verb, soon, epoch, to)
	}
	b := answerTo(u, command("watermark", 99999), command("resend", 9), command("watermark", 5))
	if len(b) != 3 || !strings.Contains(string(b[0]), "the last number given is 9") || !strings.Contains(string(b[1]), `"resend":9,"last":9`) ||
		!strings.Contains(string(b[2]), `"ok":true`) {
		t.Errorf("%s", b)
	}
	if n := u.o.Store.Stats().Pending; n != 4 {
		t.Errorf("%d windows pending", n)
	}
}

func TestADeviceWithoutATimeServerObeysItsNonceWhileItIsFresh(t *testing.T) {
	sch := loadSchemas(t)
	u, epoch := commandUplink(t, func(string) bool { return true })
	u.o.Clock = func() Clock { return Clock{Source: "none"} }
	command := func(key, value string) string {
		c := fmt.Sprintf(`{"schema":"kerb.cmd/1","id":"a","verb":"resend",%q:%q,"epoch":%q,"stream":"stream-0","from":1,"to":9}`, key, value, epoch)
		if err := sch.validate("cmd", []byte(c)); err != nil {
			t.Errorf("%s: %v", c, err)
		}
		return c
	}
	var state struct {
		Nonce string `json:"cmd_nonce"`
	}
	b := newTestSession(u).encodeState(u.o.Store.Stats()).payload
	if err := json.Unmarshal(b, &state); err != nil || sch.validate("state", b) != nil || state.Nonce == "" {
		t.Fatalf("%s: %v", b, err)
	}
	refused := answerTo(u, command("expires", storetest.FirstStart.Add(time.Minute).Format(time.RFC3339)))
	if !strings.Contains(string(refused[0]), "clock is not synced") || !strings.Contains(string(refused[0]), `"nonce":"`+state.Nonce) {
		t.Errorf("%s", refused)
	}
	for _, age := range []time.Duration{0, nonceLife} { // twice: a duplicate that the broker delivers is obeyed too
		u.nonces.madeAt = u.nonces.madeAt.Add(-age)
		if b := answerTo(u, command("nonce", state.Nonce)); !strings.Contains(string(b[0]), `"resend":9`) {
			t.Errorf("after %s: %s", age, b)
		}
	}
	u.nonces.madeAt = u.nonces.madeAt.Add(-nonceLife)
	if b := answerTo(u, command("nonce", state.Nonce)); !strings.Contains(string(b[0]), "nonce: not valid") {
		t.Errorf("replayed after two lives: %s", b)
	}
	var other commandNonces
	if other.isValid(state.Nonce, time.Now()) || other.isValid("", time.Now()) {
		t.Error("another run accepts the nonce of this one")
	}
}

func TestABurstOfCommandsGetsAsManyAnswers(t *testing.T) {
	sch := loadSchemas(t)
	u, epoch := commandUplink(t, func(string) bool { return true })
	var burst []string
	for i := range maxCommands + 300 {
		burst = append(burst, fmt.Sprintf(`{"schema":"kerb.cmd/1","id":"c%d","verb":"resend","nonce":%q,"epoch":%q,"stream":"stream-0","from":1,"to":9}`,
			i, u.nonces.current(time.Now()), epoch))
	}
	done, busy, seen := 0, 0, map[string]bool{}
	for _, b := range answerTo(u, burst...) {
		var a answer
		if err := json.Unmarshal(b, &a); err != nil || seen[a.ID] || sch.validate("ack", b) != nil {
			t.Fatalf("%s: %v, %v", b, err, sch.validate("ack", b))
		}
		seen[a.ID] = true
		switch {
		case a.OK:
			done++
		case strings.HasPrefix(a.Error, "busy: ") && a.Retry > 0:
			busy++
		default:
			t.Errorf("%s", b)
		}
	}
	if done != maxCommands || busy != 300 {
		t.Errorf("%d done and %d busy of %d", done, busy, len(burst))
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

func TestTheWaitsBeginAgainAfterAConnectionThatLasted(t *testing.T) {
	u := testUplink(t, nil)
	for least, first := range map[time.Duration]time.Duration{0: 0, 30 * time.Second: 30 * time.Second, time.Hour: 300 * time.Second} {
		u.o.RetryMin = least
		var most time.Duration
		for range 2000 {
			most = max(most, u.connectDelay(0))
			for failures := range 3 {
				if d := u.connectDelay(failures + 1); d <= 0 || d > 300*time.Second+time.Millisecond {
					t.Fatalf("retry_min %s: after %d failures %s", least, failures+1, d)
				}
			}
		}
		if most > first+time.Millisecond || most < first*9/10 {
			t.Errorf("retry_min %s: the first wait is at most %s, want %s", least, most, first)
		}
	}
}
