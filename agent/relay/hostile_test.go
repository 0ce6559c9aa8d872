package relay

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// takeAll gives the relay messages of one device, as at noon, and returns the ledger.
func takeAll(t *testing.T, messages ...[2]string) *Ledger {
	t.Helper()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p, err := openPosition(filepath.Join(t.TempDir(), "relay.db"), "test", now)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	r := &Relay{commands: newCommands(), log: slog.New(slog.DiscardHandler)}
	r.commands.sent["q"] = sentCommand{space: space{Epoch: "e", Stream: "s"}, verb: verbResend, from: 1, to: 9}
	for _, m := range messages {
		a, _, _ := topicOf("kerb/v1/" + m[0])
		s := r.commands.sent["q"]
		s.Address = a
		r.commands.sent["q"] = s
		if err := p.update(now, func(l *ledgerTx) error { return r.take(l, "kerb/v1/"+m[0], []byte(m[1])) }); err != nil {
			t.Fatal(err)
		}
	}
	l, err := p.ledger(now, "")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// windowText is a window of a minute.
func windowText(seq uint64, start, more string) string {
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"schema":"kerb.count/1","tenant":"t","site":"s","device":"d","stream":"s","epoch":"e","seq":%d,"start":%q,"end":%q,"quality":"ok","time":{"synced":true}%s}`,
		seq, start, at.Add(time.Minute).Format(time.RFC3339), more)
}

// No message of one device holds up the account of all: not a number that leaves a hole of
// 10¹⁸ windows, nor the last number of an epoch, nor a day in the year 9998. Before, the
// ledger did not end, or had three million rows.
func TestOneMessageDoesNotHoldUpTheLedger(t *testing.T) {
	good := [2]string{"t/s/d/count/s", windowText(3, "2026-11-23T11:00:00Z", "")}
	for _, m := range [][2]string{
		{"t/s/d/count/s", windowText(1<<62, "2026-11-23T11:30:00Z", "")},
		{"t/s/d/count/s", windowText(1<<30, "2026-11-23T11:30:00Z", "")},
		{"t/s/d/count/s", windowText(4, "9998-11-23T11:30:00Z", "")},
		{"t/s/d/count/s", windowText(4, "0001-01-01T00:00:00Z", "")},
		{"t/s/d/count/s", strings.Replace(windowText(4, "2026-11-23T11:30:00Z", ""), "2026-11-23T11:31", "9998-11-23T11:31", 1)},
		{"t/s/d/event", `{"schema":"kerb.event/1","kind":"epoch","data":{"previous":"e","epoch":"f","last":{"s":9000000000000000000}}}`},
		{"t/s/d/event", `{"schema":"kerb.event/1","kind":"evicted","data":{"epoch":"e","stream":"s","from":1,"to":9000000000000000000,"reason":"expired"}}`},
		{"t/s/d/ack", `{"schema":"kerb.ack/1","id":"q","ok":true,"resend":1,"last":9000000000000000000}`},
	} {
		l := takeAll(t, good, m)
		if len(l.Rows) == 0 || len(l.Rows) > 10 || l.Rows[len(l.Rows)-1].Received == 0 {
			t.Errorf("%d rows after %s", len(l.Rows), m[1])
		}
	}
}

// A device's texts reach tables, terminals and the page as words: no control character, no
// character that turns a text around, and no formula of a spreadsheet.
func TestADevicesTextsAreWords(t *testing.T) {
	const bad = `=cmd|'/c calc'!A1\u001b[2J\u202e`
	l := takeAll(t,
		[2]string{"t/s/d/count/s", windowText(3, "2026-11-23T11:00:00Z", "")},
		[2]string{"t/s/d/count/s", windowText(4, "2026-11-23T11:01:00Z", `,"counts":[{"class":"`+bad+`","dir":"a_to_b","n":3}]`)},
		[2]string{"t/s/d/count/s", strings.Replace(windowText(5, "2026-11-23T11:02:00Z", ""), `"ok"`, `"gap","reason":"`+bad+`"`, 1)},
		[2]string{"t/s/d/event", `{"schema":"kerb.event/1","kind":"evicted","data":{"epoch":"e","stream":"s","from":7,"to":8,"reason":"` + bad + `"}}`},
		[2]string{"t/s/d/ack", `{"schema":"kerb.ack/1","id":"q","ok":false,"error":"` + bad + `"}`},
	)
	var text, table, page bytes.Buffer
	for _, err := range []error{l.WriteText(&text), l.WriteCSV(&table), l.WriteHTML(&page)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range map[string]string{"text": text.String(), "table": table.String(), "page": page.String()} {
		if strings.ContainsAny(b, "\x1b\u202e") || strings.Contains(b, "\n=") || strings.Contains(b, ",=") {
			t.Errorf("%s: %q", name, b)
		}
	}
	if !strings.Contains(text.String(), "unknown 2") || !strings.Contains(text.String(), "calc") {
		t.Errorf("the control: neither the reason nor the answer is there: %s", text.String())
	}
}
