package relay

import (
	"fmt"
	"testing"
	"time"
)

// The ledger has the last event of each device and kind that kerb fleet check judges; of a
// drift, of each pair of streams. Other kinds are not kept, and all go with their age.
func TestTheLedgerHasTheLastEvents(t *testing.T) {
	r, _ := openRelay(t, t.TempDir(), Opts{})
	event := func(device, kind, data string) message {
		return message{topic: "kerb/v1/kerb/bench/" + device + "/event", body: fmt.Appendf(nil, `{"schema":"kerb.event/1","tenant":"kerb","site":"bench","device":%q,"epoch":"e","n":1,"kind":%q,"data":%s}`, device, kind, data)}
	}
	commit(t, r,
		event("pi-1", "aim", `{"act":"start"}`), event("pi-1", "aim", `{"act":"end","why":"done"}`), event("pi-2", "config_refused", `{"mistakes":["x"]}`),
		event("pi-1", "streams_drift", `{"a":"l1","b":"l2","drifted":true}`), event("pi-1", "streams_drift", `{"a":"l1","b":"l3","drifted":true}`),
		event("pi-1", "streams_drift", `{"a":"l1","b":"l2","drifted":false}`), event("pi-1", "streams_drift", `{"a":"l1","b":"l2","quantity":"speed","drifted":true}`),
		event("pi-1", "clock_step", `{}`), event("pi-1", "evicted", `{"epoch":"e","stream":"road","from":1,"to":3,"reason":"expired"}`))
	var got []string
	l := ledgerOf(t, r)
	for _, e := range l.Told {
		got = append(got, e.Device+" "+e.Kind+" "+string(e.Data))
	}
	want := []string{
		`pi-1 aim {"act":"end","why":"done"}`, `pi-1 streams_drift {"a":"l1","b":"l2","drifted":false}`, `pi-1 streams_drift {"a":"l1","b":"l2","quantity":"speed","drifted":true}`,
		`pi-1 streams_drift {"a":"l1","b":"l3","drifted":true}`, `pi-2 config_refused {"mistakes":["x"]}`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if len(l.Rows) != 1 || l.Rows[0].Gone["expired"] != 3 {
		t.Errorf("%+v", l.Rows)
	}
	if err := r.db.deleteBefore(time.Now().Add(time.Hour)); err != nil || len(ledgerOf(t, r).Told) != 0 {
		t.Errorf("%v, %+v", err, ledgerOf(t, r).Told)
	}
}
