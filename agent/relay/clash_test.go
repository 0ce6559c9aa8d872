package relay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// message is a message of a broker.
type message struct {
	mqtt.Message
	topic string
	body  []byte
}

func (m message) Topic() string   { return m.topic }
func (m message) Payload() []byte { return m.body }

// firstDay is the day of the windows of these tests.
var firstDay = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// recorded returns a window of a real kerb for a device, a stream and a number, counted
// from the first quarter of an hour of firstDay.
func recorded(t testing.TB, device, stream string, seq int) message {
	t.Helper()
	b, err := os.ReadFile("../../configs/kit/testdata/messages.txt")
	if err != nil {
		t.Fatal(err)
	}
	line := string(b[bytes.Index(b, []byte("kerb/v1/kerb/bench/std/count/road ")):])
	line, _, _ = strings.Cut(line, "\n")
	topic, body, _ := strings.Cut(line, " ")
	start := firstDay.Add(time.Duration(seq-1) * 15 * time.Minute)
	return message{
		topic: strings.Replace(strings.Replace(topic, "/std/", "/"+device+"/", 1), "/road", "/"+stream, 1),
		body: []byte(strings.NewReplacer(`"device":"std"`, `"device":"`+device+`"`, `"stream":"road"`, `"stream":"`+stream+`"`, `"seq":1,`, fmt.Sprintf(`"seq":%d,`, seq),
			"2026-11-30T22:45:00Z", start.Format(time.RFC3339), "2026-11-30T23:00:00Z", start.Add(15*time.Minute).Format(time.RFC3339),
			`"quality":"partial","reason":"stopped"`, `"quality":"ok"`, `"observed_s":90`, `"observed_s":900`, `"synced":false`, `"synced":true`).Replace(body)),
	}
}

// openRelay opens a relay whose sink is a folder; it neither connects nor delivers.
func openRelay(t testing.TB, dir string, o Opts) (*Relay, *bytes.Buffer) {
	t.Helper()
	said := &bytes.Buffer{}
	o.Broker, o.Format, o.Out, o.Dir, o.Keep = "mqtt://127.0.0.1:1", "csv", filepath.Join(dir, "out"), dir, 100*365*24*time.Hour
	o.Log = slog.New(slog.NewTextHandler(said, nil))
	r, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.db.close() })
	return r, said
}

func commit(t testing.TB, r *Relay, messages ...message) {
	t.Helper()
	var batch []mqtt.Message
	for _, m := range messages {
		batch = append(batch, m)
	}
	if err := r.commit(batch); err != nil {
		t.Fatal(err)
	}
}

func ledgerOf(t testing.TB, r *Relay) *Ledger {
	t.Helper()
	l, err := r.db.ledger(firstDay.Add(12*time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A window that comes again is taken once. With other bytes it clashes: the ledger counts
// and lists it, in each form, and the log tells of the first. The controls are the same
// bytes again, live and in a list of late ones.
func TestAWindowThatComesAgainWithOtherBytesIsTold(t *testing.T) {
	r, said := openRelay(t, t.TempDir(), Opts{})
	first := recorded(t, "pi-1", "road", 1)
	late := message{topic: strings.Replace(first.topic, "/count/", "/backfill/", 1), body: fmt.Appendf(nil, "[%s, %s]", first.body, recorded(t, "pi-1", "road", 2).body)}
	commit(t, r, first, first, late, late, recorded(t, "pi-2", "road", 1))
	if l := ledgerOf(t, r); l.Rows[0].Received != 2 || l.Rows[0].Clashes != 0 || len(l.Clashes) != 0 || said.Len() > 0 {
		t.Fatalf("the same bytes: %+v %v\n%s", l.Rows[0], l.Clashes, said)
	}
	twin := func(m message) message {
		return message{topic: m.topic, body: bytes.Replace(m.body, []byte(`"below":5 `), []byte(`"n":6     `), 1)}
	}
	commit(t, r, twin(first), twin(recorded(t, "pi-1", "road", 2)))
	// A card that was restored from a copy numbers today's windows as last week's.
	restored := recorded(t, "pi-1", "road", 1)
	restored.body = bytes.ReplaceAll(restored.body, []byte("2026-11-23T"), []byte("2026-11-30T"))
	commit(t, r, restored)
	l := ledgerOf(t, r)
	byDay := map[string]int{}
	for _, row := range l.Rows {
		byDay[row.Device+" "+row.Day] += row.Clashes
	}
	if byDay["pi-1 2026-11-23"] != 2 || byDay["pi-1 2026-11-30"] != 1 || byDay["pi-2 2026-11-23"] != 0 || len(l.Clashes) != 3 || l.Clashes[2].Seq != 1 || l.Rows[0].Received != 2 {
		t.Errorf("%v %+v", byDay, l.Clashes)
	}
	if n := strings.Count(said.String(), "with other bytes"); n != 1 {
		t.Errorf("told %d times:\n%s", n, said)
	}
	var text, table, page bytes.Buffer
	if err := l.WriteText(&text); err != nil || !strings.Contains(text.String(), "clashes 2,") || !strings.Contains(text.String(), "seq 2 came again with other bytes") {
		t.Errorf("%v\n%s", err, text.String())
	}
	if err := l.WriteCSV(&table); err != nil || !strings.Contains(table.String(), ",refused,clashes,") {
		t.Errorf("%v\n%s", err, table.String())
	}
	if err := l.WriteHTML(&page); err != nil || !strings.Contains(page.String(), "<td>2</td><td class=\"t\"></td>") {
		t.Errorf("%v\n%s", err, page.String())
	}
	if b, err := json.Marshal(l); err != nil || !strings.Contains(string(b), `"clashes":2`) {
		t.Errorf("%v\n%s", err, b)
	}
}

// The list of clashes is bounded; the rows count all.
func TestTheListOfClashesIsBounded(t *testing.T) {
	r, _ := openRelay(t, t.TempDir(), Opts{})
	commit(t, r, recorded(t, "pi-1", "road", 1))
	m := recorded(t, "pi-1", "road", 1)
	m.body = bytes.Replace(m.body, []byte(`"below":5 `), []byte(`"n":6     `), 1)
	var many []message
	for range keptClashes + 5 {
		many = append(many, m)
	}
	commit(t, r, many...)
	if l := ledgerOf(t, r); len(l.Clashes) != keptClashes || l.Rows[0].Clashes != keptClashes+5 {
		t.Errorf("%d in the list, %d counted", len(l.Clashes), l.Rows[0].Clashes)
	}
}
