package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
	"kerb/agent/uplink"
)

const ownTopics = "kerb/v1/acme/north/pi-0a1b/"

// platform lets the consumer of the test, which has no user, read and command.
const platform = "topic readwrite kerb/#\n"

// startWithACL starts a mosquitto whose access control for the user pi is acl, and
// returns it with a function that replaces that.
func startWithACL(t *testing.T, acl string, more ...string) (b *mosquitto, change func(acl string)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "acl")
	write := func(acl string) {
		if err := os.WriteFile(file, []byte(platform+"user pi\n"+acl), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(acl)
	b = startMosquitto(t, append([]string{"allow_anonymous true", "acl_file " + file, "max_queued_messages 1000"}, more...)...)
	return b, func(acl string) {
		write(acl)
		if err := b.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	aclRight      = "topic readwrite " + ownTopics + "#\n"
	proofPatience = 90 * time.Second // of what takes seconds on an idle machine
)

// proving returns the options of a device with two streams.
func proving(b *mosquitto, s *store.Store) uplink.Opts {
	return uplink.Opts{
		Broker: b.url(), User: "pi", Store: s, AckTimeout: time.Second, AllowVerb: allowed,
		Birth: uplink.Birth{Window: time.Minute, Streams: []uplink.Stream{{ID: "stream-0", Kind: "line"}, {ID: "stream-1", Kind: "line"}}},
	}
}

// until waits until ok.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(proofPatience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s for %s", proofPatience, what)
		}
	}
}

// A typo in the access control of a broker is the classic mistake of the first day:
// mosquitto acknowledges what it denies.
func TestWindowsWaitUntilTheBrokerIsShownToPassThemOn(t *testing.T) {
	except := func(kind string) string { return "topic deny " + ownTopics + kind + "\n" + aclRight }
	const closes = "max_queued_messages 0" // mosquitto 2.0.11 then closes the connection at a denied message
	for name, c := range map[string]struct{ acl, want, more string }{
		"a typo in the tenant":   {"topic readwrite kerb/v1/acne/north/pi-0a1b/#\n", "topic readwrite " + ownTopics + "#", ""},
		"write only":             {"topic write " + ownTopics + "#\n", "topic readwrite " + ownTopics + "#", ""},
		"read only":              {"topic read " + ownTopics + "#\n", "topic readwrite " + ownTopics + "#", ""},
		"no count":               {except("count/#"), "topic readwrite " + ownTopics + "count/#", ""},
		"one stream":             {except("count/stream-1"), "topic readwrite " + ownTopics + "count/#", ""},
		"no backfill":            {except("backfill/#"), "topic readwrite " + ownTopics + "backfill/#", ""},
		"no cmd":                 {except("cmd"), "topic readwrite " + ownTopics + "cmd", ""},
		"cmd may not be written": {"topic read " + ownTopics + "cmd\ntopic readwrite " + ownTopics + "count/#\ntopic readwrite " + ownTopics + "backfill/#\ntopic readwrite " + ownTopics + "+\ntopic deny " + ownTopics + "ack\n", "topic readwrite " + ownTopics + "ack", ""},
		"no event":               {except("event"), "topic readwrite " + ownTopics + "event", ""},
		"no count, closing":      {except("count/#"), "topic readwrite " + ownTopics + "count/#", closes},
		"no state, closing":      {except("state"), "topic readwrite " + ownTopics + "#", closes},
		"no meta":                {except("meta"), "topic readwrite " + ownTopics + "meta", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, change := startWithACL(t, c.acl, c.more)
			k := newSink(t, b.url())
			s, streams := openStore(t), storetest.StreamNames(2)
			fill(t, s, streams, 0, 5, nil)
			s.AddNote("clock_step", map[string]any{"by_s": 3600})
			u, _ := run(t, proving(b, s))
			until(t, "the line", func() bool { return len(u.Status().ACL) > 0 })
			if err := u.CheckConnection(t.Context()); err == nil || !strings.Contains(err.Error(), `"`+c.want+`" below "user pi"`) || strings.Contains(err.Error(), "\n") {
				t.Errorf("check -connect: %v", err)
			}
			until(t, "the verdict", func() bool { st := u.Status(); return len(st.ACL) == 2 && st.ACL[1] == c.want })
			if st := u.Status(); st.Online || st.ACL[0] != "user pi" || st.Refusal == "" || k.count() != 0 || st.Backlog != 10 {
				t.Errorf("%d windows came, status %+v", k.count(), st)
			}
			change(aclRight)
			until(t, "the windows", func() bool { return s.Stats().Pending == 0 && u.IsOnline() })
			k.await(10, proofPatience)
			k.complete(s.Stats().Epoch, streams, 5)
			until(t, "the event", func() bool { return len(k.messages("event")) == 1 })
			if st := u.Status(); k.twice != 0 || len(st.ACL) != 0 || st.Refusal != "" {
				t.Errorf("%s, status %+v", k, st)
			}
			if err := u.CheckConnection(t.Context()); err != nil {
				t.Errorf("check -connect: %v", err)
			}
		})
	}
}

// The broker reads a new access control without closing a connection.
func TestAWindowThatIsDeniedInTheMiddleOfAConnectionStaysPending(t *testing.T) {
	t.Parallel()
	b, change := startWithACL(t, aclRight)
	k := newSink(t, b.url())
	s, streams := openStore(t), storetest.StreamNames(2)
	fill(t, s, streams, 0, 5, nil)
	u, _ := run(t, proving(b, s))
	until(t, "the windows", func() bool { return s.Stats().Pending == 0 && u.IsOnline() })
	change("topic deny " + ownTopics + "count/#\n" + aclRight)
	until(t, "the broker to read it", func() bool { return u.CheckConnection(t.Context()) != nil })
	fill(t, s, streams, 5, 8, func(int) { u.Wake() })
	until(t, "the refusal", func() bool { return !u.IsOnline() && len(u.Status().ACL) == 2 })
	if n := s.Stats().Pending; n != 6 || k.count() != 10 {
		t.Errorf("%d windows pending, %d came", n, k.count())
	}
	until(t, "the state to tell it", func() bool {
		m := k.messages("state")
		return strings.Contains(m[len(m)-1], `"denied":["count/stream-0","count/stream-1"]`)
	})
	change(aclRight)
	until(t, "the windows", func() bool { return s.Stats().Pending == 0 && u.IsOnline() })
	k.await(16, proofPatience)
	k.complete(s.Stats().Epoch, streams, 8)
	if k.twice != 0 {
		t.Error(k)
	}
}

// answerIDs returns the ids of the answers that came, in order.
func answerIDs(t *testing.T, k *sink) (ids []string) {
	t.Helper()
	for _, m := range k.messages("ack") {
		var a struct{ ID string }
		if err := json.Unmarshal([]byte(m), &a); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.ID)
	}
	return ids
}

// The commands are executed, and each answer comes once.
func TestAnswersWaitUntilTheBrokerPassesThemOn(t *testing.T) {
	t.Parallel()
	b, change := startWithACL(t, aclRight)
	k := newSink(t, b.url())
	s, streams := openStore(t), storetest.StreamNames(1)
	fill(t, s, streams, 0, 5, nil)
	u, _ := run(t, proving(b, s))
	until(t, "the windows", func() bool { return s.Stats().Pending == 0 && u.IsOnline() })
	change("topic deny " + ownTopics + "ack\n" + aclRight)
	until(t, "the broker to read it", func() bool { return u.CheckConnection(t.Context()) != nil })
	const n = 30 // more than may be under way at once
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint("c", i))
		k.client.Publish(ownTopics+"cmd", 1, false, fmt.Sprintf(`{"schema":"kerb.cmd/1","id":%q,"verb":"resend","expires":%q,"epoch":%q,"stream":%q,"from":1,"to":5}`,
			want[i], time.Now().Add(time.Hour).UTC().Format(time.RFC3339), s.Stats().Epoch, streams[0]))
	}
	until(t, "the refusal", func() bool {
		st := u.Status()
		return len(st.ACL) == 2 && st.ACL[1] == "topic readwrite "+ownTopics+"ack"
	})
	if ids := answerIDs(t, k); len(ids) > 0 {
		t.Fatalf("answers %v although they are denied: the test shows nothing", ids)
	}
	change(aclRight)
	until(t, "the answers", func() bool { return len(answerIDs(t, k)) >= n })
	until(t, "the windows", func() bool { return s.Stats().Pending == 0 && u.IsOnline() })
	got := answerIDs(t, k)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d answers: %v", len(got), got)
	}
}

// kerb check -connect leaves nothing at the broker.
func TestACheckLeavesNothingAtTheBroker(t *testing.T) {
	t.Parallel()
	b, _ := startWithACL(t, aclRight)
	u, err := uplink.New(func() uplink.Opts {
		o := proving(b, openStore(t))
		o.Tenant, o.Site, o.Device = "acme", "north", "pi-0a1b"
		return o
	}())
	if err != nil {
		t.Fatal(err)
	}
	if err := u.CheckConnection(t.Context()); err != nil {
		t.Fatal(err)
	}
	k := newSink(t, b.url())
	marker := k.client.Publish("kerb/v1/acme/north/pi-0a1b/event", 1, true, "marker") // retained messages come before it
	marker.Wait()
	until(t, "the marker", func() bool { return len(k.messages("event")) > 0 })
	for _, level := range []string{"state", "meta", "ack"} {
		if m := k.messages(level); len(m) > 0 {
			t.Errorf("%s: %q", level, m)
		}
	}
}
