package relay

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/relay"
)

// scale is the size of the test: processes of devices, devices of each, and the time of
// one window of a quarter of an hour.
type scale struct {
	processes, devices int
	pace               time.Duration
}

// A day of devices with kills of devices, broker, relay and database in turn: the ledger
// accounts for every window, and the hourly sums of the database are those of the devices'
// own releases. Device 0 forgets its windows after four hours and finds the broker at noon
// only: what it lost is accounted for as well.
func TestADayWithKillsIsAccountedForToTheLastWindow(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3 for the database")
	}
	size := scale{2, 5, 60 * time.Millisecond}
	if os.Getenv("KERB_LONG") != "" {
		size = scale{4, 50, 600 * time.Millisecond}
	}
	b, dir := startBroker(t), t.TempDir()
	port, database, state, spools := freePort(t), filepath.Join(dir, "w.db"), filepath.Join(dir, "state"), filepath.Join(dir, "devices")
	db := startProcess(t, func() *exec.Cmd { return exec.Command("python3", "sink.py", fmt.Sprint(port), database) })
	waitFor(t, "database", func() bool { return canConnect(port) })
	r := startProcess(t, role(relayRole, relay.Opts{
		Broker: b.url, Format: "csv", Out: fmt.Sprintf("http://127.0.0.1:%d/", port), Dir: state,
		Gather: 100 * time.Millisecond, Ask: time.Second, Confirm: time.Second,
	}))
	waitFor(t, "relay", func() bool { _, err := relay.ReadLedger(state, ""); return err == nil })
	var fleets []*process
	if err := os.MkdirAll(spools, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range size.processes {
		fleets = append(fleets, startProcess(t, role(fleetRole, fleetOpts{
			Broker: b.url, Dir: spools, First: i * size.devices, N: size.devices, Pace: size.pace, ExpireAfter: 4 * time.Hour, Confirm: true,
		})))
	}
	share := func() float64 { return float64(countReleases(spools)) / float64(slots*countStreams(size)) }
	for _, k := range []struct {
		name string
		at   float64
		p    *process
		down func() bool // what happens before it is started again
	}{
		{"devices", 0.1, fleets[0], nil},
		{"broker", 0.2, b.process, nil},
		{"relay", 0.4, r, func() bool { return share() > 0.45 }},
		{"database", 0.6, db, func() bool {
			l, err := relay.ReadLedger(state, "")
			return err == nil && waiting(l) > 0
		}},
		{"devices", 0.8, fleets[1], nil},
	} {
		waitFor(t, fmt.Sprintf("%.0f %% of the day", 100*k.at), func() bool { return share() >= k.at })
		k.p.kill()
		if k.down != nil {
			waitFor(t, k.name+" away", k.down)
		}
		k.p.start()
		t.Logf("%s killed and started at %.0f %% of the day", k.name, 100*k.at)
	}
	waitComplete(t, state, size.processes*size.devices)
	waitFor(t, "the devices know that the database has everything", func() bool {
		for i := range size.processes {
			if b, err := os.ReadFile(filepath.Join(spools, fmt.Sprintf("pending-%d", i*size.devices))); err != nil || string(b) != "0" {
				return false
			}
		}
		return true
	})
	l, err := relay.ReadLedger(state, "2026-11-23")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fleets {
		f.stop()
	}
	r.stop()
	compareDay(t, l, readReleases(t, spools), readDatabase(t, database))
	if gone := goneOf(l); gone == 0 {
		t.Error("device 0 has lost nothing: the test shows less than it says")
	}
}

// A database is away for the whole day, and the relay may keep half of its windows only.
// The others stay at their devices, which the ledger tells, and come when the database is
// back, though the relay is killed then: nothing is lost. A twin then publishes one window with another number: it is told,
// and does not reach the database.
func TestWindowsBeyondTheBoundStayAtTheirDevices(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3 for the database")
	}
	size := scale{1, len(kinds), 0}
	b, dir := startBroker(t), t.TempDir()
	port, database, state, spools := freePort(t), filepath.Join(dir, "w.db"), filepath.Join(dir, "state"), filepath.Join(dir, "devices")
	if err := os.MkdirAll(spools, 0o700); err != nil {
		t.Fatal(err)
	}
	const most = 250 << 10
	r := startProcess(t, role(relayRole, relay.Opts{
		Broker: b.url, Format: "csv", Out: fmt.Sprintf("http://127.0.0.1:%d/", port), Dir: state, MostWaiting: most,
		Gather: 100 * time.Millisecond, Ask: time.Second, Confirm: time.Second,
	}))
	waitFor(t, "relay", func() bool { _, err := relay.ReadLedger(state, ""); return err == nil })
	devices := startProcess(t, role(fleetRole, fleetOpts{Broker: b.url, Dir: spools, N: size.devices, Confirm: true}))
	waitFor(t, "a full relay, and a whole day at the devices", func() bool {
		l, err := relay.ReadLedger(state, "")
		left := 0
		for _, r := range l.Rows {
			left += r.Left
		}
		return err == nil && l.Waiting.Full && left > 0 && waiting(l)+left >= countReleases(spools)*9/10 && countReleases(spools) == slots*countStreams(size)
	})
	l, err := relay.ReadLedger(state, "2026-11-23")
	if err != nil || l.Waiting.Bytes < most || l.Waiting.Bytes > most*2 {
		t.Fatalf("%v, %+v", err, l.Waiting)
	}
	t.Log(l.Waiting)
	startProcess(t, func() *exec.Cmd { return exec.Command("python3", "sink.py", fmt.Sprint(port), database) })
	r.kill() // it would try the database again within a minute only
	r.start()
	waitComplete(t, state, size.devices)
	truth := readReleases(t, spools)
	publishTwin(t, b, spools)
	waitFor(t, "a window with other bytes", func() bool {
		l, err = relay.ReadLedger(state, "2026-11-23")
		return err == nil && len(l.Clashes) == 1
	})
	devices.stop()
	r.stop()
	compareDay(t, l, truth, readDatabase(t, database))
	if gone := goneOf(l); gone != 0 {
		t.Errorf("%d windows are gone", gone)
	}
}

// publishTwin publishes the first window of a device that has a number, with another number.
func publishTwin(t *testing.T, b *broker, spools string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(spools, "1", "truth"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		before, after, ok := strings.Cut(line, `"n":`)
		if !ok {
			continue
		}
		var w released
		if err := json.Unmarshal([]byte(line), &w); err != nil {
			t.Fatal(err)
		}
		c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(b.url).SetClientID("twin"))
		if tok := c.Connect(); !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
			t.Fatal("not connected")
		}
		defer c.Disconnect(250)
		topic := fmt.Sprintf("kerb/v1/%s/%s/%s/count/%s", w.Tenant, w.Site, w.Device, w.Stream)
		if tok := c.Publish(topic, 1, false, before+`"n":9`+after); !tok.WaitTimeout(time.Minute) || tok.Error() != nil {
			t.Fatal("not published")
		}
		return
	}
	t.Fatal("no window has a number")
}

func goneOf(l *relay.Ledger) (n int) {
	for _, r := range l.Rows {
		n += sumOf(r.Gone)
	}
	return n
}

func waiting(l *relay.Ledger) (n int) {
	for _, r := range l.Rows {
		n += r.Waiting
	}
	return n
}

// countStreams returns the number of streams of all devices.
func countStreams(s scale) (n int) {
	for i := range s.processes * s.devices {
		n += []int{3, 1, 1, 1, 2}[i%len(kinds)]
	}
	return n
}

// dbRow is a row of the database: a window and one class and direction of it.
type dbRow struct {
	Device, Stream, Epoch, Seq, Start, Quality, Class, Dir string
	N                                                      *int64
}

func readDatabase(t *testing.T, path string) (rows []dbRow) {
	t.Helper()
	out, err := exec.Command("python3", "-c", `import json, sqlite3, sys
d = sqlite3.connect(sys.argv[1]); d.row_factory = sqlite3.Row
print(json.dumps([dict(r) for r in d.execute("select device, stream, epoch, seq, start, quality, class, dir, n from w")]))`, path).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// compareDay compares database, ledger and releases.
func compareDay(t *testing.T, l *relay.Ledger, truth map[string]released, rows []dbRow) {
	here, hours, sums := map[string]bool{}, map[string]int64{}, map[string]int64{}
	for _, r := range rows {
		key := r.Device + "|" + r.Stream + "|" + r.Epoch + "|" + r.Seq
		if _, ok := truth[key]; !ok {
			t.Fatalf("%s is in the database, and no device released it", key)
		}
		here[key] = true
		if r.N != nil {
			hours[strings.Join([]string{r.Device, r.Stream, r.Class, r.Dir, r.Start[:13]}, "|")] += *r.N
			sums[strings.Join([]string{r.Device, r.Stream, r.Class, r.Dir}, "|")] += *r.N
		}
	}
	own, absent, gaps := map[string]int64{}, map[string]int{}, 0
	for key, w := range truth {
		stream := w.Tenant + "/" + w.Site + "/" + w.Device + "|" + w.Stream
		if !here[key] {
			absent[stream]++
			continue
		}
		if w.Quality == "gap" {
			gaps++
		}
		for _, c := range w.Counts {
			if c.N != nil {
				own[strings.Join([]string{stream, c.Class, c.Dir, w.Start.Format("2006-01-02T15")}, "|")] += *c.N
			}
		}
	}
	for k, n := range own {
		if hours[k] != n {
			t.Errorf("%s: %d in the database, %d as released", k, hours[k], n)
		}
	}
	if len(own) != len(hours) {
		t.Errorf("%d hourly sums in the database, %d as released", len(hours), len(own))
	}
	due, received, gone, told := 0, 0, 0, 0
	for _, r := range l.Rows {
		stream := r.Tenant + "/" + r.Site + "/" + r.Device + "|" + r.Stream
		due, received, gone, told = due+r.Due, received+r.Received, gone+sumOf(r.Gone), told+sumOf(r.Gaps)
		if r.Due != slots || sumOf(r.Gone) != absent[stream] {
			t.Errorf("%s: due %d of %d, gone %v, absent from the database %d", stream, r.Due, slots, r.Gone, absent[stream])
		}
		for _, s := range r.Sums {
			if s.Sum != nil && int64(*s.Sum) != sums[strings.Join([]string{stream, s.Class, s.Dir}, "|")] {
				t.Errorf("%s %s %s: sum %v in the ledger, %d in the database", stream, s.Class, s.Dir, *s.Sum, sums[strings.Join([]string{stream, s.Class, s.Dir}, "|")])
			}
		}
	}
	if received != len(here) || told != gaps {
		t.Errorf("the ledger has %d windows and %d gaps, the database %d and %d; gone %d", received, told, len(here), gaps, gone)
	}
	t.Logf("due %d, received %d (gaps %d), gone %d; %d hourly sums equal", due, received, told, gone, len(own))
}
