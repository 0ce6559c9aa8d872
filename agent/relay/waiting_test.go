package relay

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	bolt "go.etcd.io/bbolt"
)

// metaOf declares a device with the stream road, which allows these commands.
func metaOf(device, commands string) message {
	return message{topic: "kerb/v1/kerb/bench/" + device + "/meta", body: fmt.Appendf(nil,
		`{"schema":"kerb.meta/1","tenant":"kerb","site":"bench","device":%q,"window_s":900,"streams":[{"id":"road","kind":"line"}],"commands":[%s]}`, device, commands)}
}

// At the bound further windows stay at their devices: they are missing, are not asked for
// while the bound holds, and no watermark passes them. The oldest, which are here, go to
// the sink first. A device that allows no resend could not give a window again: its
// windows are taken beyond the bound.
func TestWhatWaitsIsBounded(t *testing.T) {
	one := int64(len(recorded(t, "pi-1", "road", 1).body))
	r, said := openRelay(t, t.TempDir(), Opts{MostWaiting: 10 * one, Ask: 1, Batch: 100})
	commit(t, r, metaOf("pi-1", `"resend","watermark"`), metaOf("pi-2", ""))
	for seq := range 20 {
		commit(t, r, recorded(t, "pi-1", "road", seq+1))
	}
	commit(t, r, recorded(t, "pi-2", "road", 1))
	l := ledgerOf(t, r)
	if l.Rows[0].Received != 10 || l.Rows[0].Missing != 10 || l.Rows[0].Left != 10 || l.Rows[0].Waiting != 10 || l.Waiting.Windows != 11 || l.Rows[1].Received != 1 {
		t.Fatalf("%+v\n%+v", l.Rows, l.Waiting)
	}
	if strings.Count(said.String(), "too much waits") != 1 || r.asks() {
		t.Errorf("asks %t, said:\n%s", r.asks(), said)
	}
	commit(t, r, recorded(t, "pi-1", "road", 3)) // again
	if n, err := r.deliverBatch(t.Context(), 8); n != 8 || err != nil {
		t.Fatal(n, err)
	}
	if !strings.Contains(said.String(), "are asked for") || !r.asks() {
		t.Errorf("after delivery: asks %t, said:\n%s", r.asks(), said)
	}
	for seq := range 7 { // what the device sends again
		commit(t, r, recorded(t, "pi-1", "road", seq+11))
	}
	for n := 1; n > 0; {
		var err error
		if n, err = r.deliverBatch(t.Context(), 8); err != nil {
			t.Fatal(err)
		}
	}
	if l := ledgerOf(t, r); l.Rows[0].Received != 17 || l.Rows[0].Missing != 3 || l.Rows[0].Left != 3 || l.Rows[0].Waiting != 0 || l.Waiting.Windows != 0 || l.Waiting.Bytes != 0 {
		t.Errorf("%+v\n%+v", l.Rows[0], l.Waiting)
	}
	rows, _ := os.ReadFile(filepath.Join(r.o.Out, "windows-2026-11-23.csv"))
	if n := bytes.Count(rows, []byte("\n")); n != 1+4*18 {
		t.Errorf("%d rows at the sink", n)
	}
}

// A full disk is a bound, too: then windows of all devices are left.
func TestAFullDiskLeavesWindowsAtTheirDevices(t *testing.T) {
	r, said := openRelay(t, t.TempDir(), Opts{})
	free := int64(leastFree - 1)
	r.free = func(string) int64 { return free }
	commit(t, r, metaOf("pi-1", ""), recorded(t, "pi-1", "road", 1))
	if l := ledgerOf(t, r); len(l.Rows) != 1 || l.Rows[0].Missing != 1 || l.Rows[0].Received != 0 || !strings.Contains(said.String(), "too much waits") {
		t.Fatalf("%+v\n%s", l.Rows, said)
	}
	free = leastFree
	commit(t, r, recorded(t, "pi-1", "road", 1))
	if l := ledgerOf(t, r); l.Rows[0].Missing != 0 || l.Rows[0].Received != 1 {
		t.Errorf("%+v", l.Rows)
	}
}

// Windows that wait are counted again in the position of a version that did not.
func TestAnOlderPositionIsCounted(t *testing.T) {
	dir := t.TempDir()
	r, _ := openRelay(t, dir, Opts{})
	commit(t, r, recorded(t, "pi-1", "road", 1), recorded(t, "pi-1", "road", 2))
	want := ledgerOf(t, r)
	err := r.db.update(firstDay, func(l *ledgerTx) error {
		d, err := l.day("2026-11-23 kerb/bench/pi-1/road")
		if err != nil || d.Waiting != 2 {
			t.Fatalf("%v %+v", err, d)
		}
		d.Waiting = 0
		return l.tx.Bucket(aboutBucket).Delete(waitingKey)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.db.close(); err != nil {
		t.Fatal(err)
	}
	r, _ = openRelay(t, dir, Opts{})
	if l := ledgerOf(t, r); l.Waiting != want.Waiting || l.Rows[0].Waiting != 2 {
		t.Errorf("%+v, want %+v; %+v", l.Waiting, want.Waiting, l.Rows)
	}
}

// windowOf is the length of the windows.
const windowOf = 15 * time.Minute

// The size of the position is measured with windows of a real kerb. KERB_LONG=1 takes a
// week of 110 devices with four streams, a hundredth of a city.
func TestWhatAWeekOfWaitingWindowsTakes(t *testing.T) {
	devices, slots := 11, 32
	if os.Getenv("KERB_LONG") != "" {
		devices, slots = 110, 7*96
	}
	r, _ := openRelay(t, t.TempDir(), Opts{})
	pattern, windows := recorded(t, "DEVICE", "STREAM", 1), 0
	var batch []mqtt.Message
	for seq := range slots {
		start := firstDay.Add(time.Duration(seq) * windowOf)
		for d := range devices {
			for s := range 4 {
				batch = append(batch, message{
					topic: strings.NewReplacer("DEVICE", fmt.Sprintf("pi-%05d", d), "STREAM", fmt.Sprintf("lane-%d", s)).Replace(pattern.topic),
					body: []byte(strings.NewReplacer("DEVICE", fmt.Sprintf("pi-%05d", d), "STREAM", fmt.Sprintf("lane-%d", s), `"seq":1,`, fmt.Sprintf(`"seq":%d,`, seq+1),
						"2026-11-23T00:00:00Z", start.Format("2006-01-02T15:04:05Z"), "2026-11-23T00:15:00Z", start.Add(windowOf).Format("2006-01-02T15:04:05Z")).Replace(string(pattern.body))),
				})
				if windows++; len(batch) == perCommit || d == devices-1 && s == 3 {
					if err := r.commit(batch); err != nil {
						t.Fatal(err)
					}
					batch = batch[:0]
				}
			}
		}
	}
	i, err := os.Stat(filepath.Join(r.o.Dir, positionFile))
	if err != nil {
		t.Fatal(err)
	}
	l := ledgerOf(t, r)
	perWindow := float64(i.Size()) / float64(windows)
	const city = 11000 * 4 * 7 * 96
	t.Logf("%d windows of %d bytes: %.0f bytes each on disk; a week of 11,000 devices with four streams: %.1f GiB, of which %.1f are waiting windows",
		windows, len(pattern.body), perWindow, perWindow*city/(1<<30), float64(l.Waiting.Bytes)/float64(windows)*city/(1<<30))
	var pages int
	_ = r.db.View(func(tx *bolt.Tx) error { pages = tx.Bucket(queueBucket).Stats().LeafAlloc; return nil })
	// With pages that are half full, as by default in bbolt, this is 2.9.
	if ratio := float64(pages) / float64(l.Waiting.Bytes); l.Waiting.Windows != int64(windows) || ratio > 1.3 {
		t.Errorf("%+v in pages of %d bytes, %.2f times as much", l.Waiting, pages, ratio)
	}
}
