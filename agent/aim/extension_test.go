package aim

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"kerb/agent/aim/record"
	"kerb/counting"
)

func TestASessionIsExtendedWithinThePolicyAndNoFurther(t *testing.T) {
	d := openSession(t, func(o *Opts) { o.Until, o.Latest = 10*time.Minute, 25*time.Minute })
	b := d.guest()
	for _, want := range []string{"20m0s", "25m0s"} {
		if status, body := b.post("/extend", nil); status != http.StatusOK || !strings.HasSuffix(d.hasNoted(), "extended "+want) {
			t.Errorf("to %s: %d %s, noted %s", want, status, body, d.hasNoted())
		}
	}
	if status, _ := b.post("/extend", nil); status != http.StatusBadRequest || d.TimeLeft() != 25*time.Minute {
		t.Errorf("beyond the policy: %d, left %s", status, d.TimeLeft())
	}
	if s := d.currentStatus(); s.More != 0 || s.Left != 25*60 {
		t.Errorf("the page is told of %d s more, %d s left", s.More, s.Left)
	}
	d.lock(func() { d.now = 25*time.Minute - time.Second })
	select {
	case why := <-d.done:
		t.Fatalf("a second early: %s", why)
	case <-time.After(500 * time.Millisecond):
	}
	d.lock(func() { d.now = 25 * time.Minute })
	if why := <-d.done; why != "expired" {
		t.Errorf("it ended: %s", why)
	}
}

// countTogether lets the engineer and the device see so many passages.
func (d *testSession) countTogether(b *browser, n int) {
	d.t.Helper()
	if status, body := b.post("/tally/start", map[string]string{"line": "kerb"}); status != http.StatusOK {
		d.t.Fatalf("start: %d %s", status, body)
	}
	for range n {
		d.lock(func() { d.now += 5 * time.Second })
		r := report(1)
		r.Layout, r.NCrossings, r.Crossings[0] = 1, 1, record.Crossing{Line: 0, Class: uint8(counting.Person), Dir: uint8(counting.BToA)}
		d.HandleReport(r)
		b.post("/tally/press", map[string]string{"class": "person", "dir": "b_to_a"})
	}
}

// A tally that runs when the time is up is finished: its result is the last status, and
// is stored.
func TestATallySurvivesTheEndOfTheSession(t *testing.T) {
	d := openSession(t, func(o *Opts) { o.Until = 3 * time.Minute })
	b := d.guest()
	news, err := b.c.Get(b.url + "/news")
	if err != nil {
		t.Fatal(err)
	}
	defer news.Body.Close()
	d.countTogether(b, 24)
	d.lock(func() { d.now = 3 * time.Minute })
	var last status
	for text := range strings.SplitSeq(readAll(t, news), "\n\n") {
		if line, ok := strings.CutPrefix(text, "data: "); ok {
			if err := json.Unmarshal([]byte(line), &last); err != nil {
				t.Fatal(err)
			}
		}
	}
	if last.Over != "expired" || last.Tally == nil || !last.Tally.Done || last.Tally.Hand != 24 || last.Tally.Verdict != VerdictGood {
		t.Errorf("the last status: over %q, tally %+v", last.Over, last.Tally)
	}
	if len(last.Results) != 1 || !last.Results[0].Kept || len(d.kept) != 1 || !strings.HasSuffix(d.hasNoted(), "accepted") {
		t.Errorf("results %+v, stored %v, noted %s", last.Results, d.kept, d.hasNoted())
	}
}

// Of a line with a stored result, and of a few passages, the end of the session stores
// nothing.
func TestTheEndOfASessionStoresNoResultInThePlaceOfAnother(t *testing.T) {
	for what, c := range map[string]struct{ first, second, stored int }{"too few": {0, 5, 0}, "stored before": {24, 24, 1}} {
		d := openSession(t, nil)
		b := d.guest()
		if c.first > 0 {
			d.countTogether(b, c.first)
			b.post("/tally/finish", nil)
			b.post("/tally/accept", nil)
		}
		d.countTogether(b, c.second)
		d.EndSession("ended")
		if len(d.kept) != c.stored || !d.currentStatus().Tally.Done {
			t.Errorf("%s: %d results stored, tally %+v", what, len(d.kept), d.currentStatus().Tally)
		}
	}
}

func TestNoChangeOfThePlanSpoilsARunningTally(t *testing.T) {
	d := openSession(t, nil)
	b := d.guest()
	d.countTogether(b, 3)
	moved := Plan{Lines: []Line{{ID: "kerb", From: Point{0, 0.4}, To: Point{1, 0.4}, Classes: []string{"person"}}}}
	for path, body := range map[string]any{"/try": moved, "/undo": nil} {
		if status, text := b.post(path, body); status != http.StatusBadRequest || !strings.Contains(text, "a tally is running") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if s := d.currentStatus(); s.Tally == nil || s.Tally.Hand != 3 {
		t.Errorf("the tally: %+v", s.Tally)
	}
	b.post("/tally/finish", nil)
	if status, text := b.post("/try", moved); status != http.StatusOK || len(d.currentStatus().Results) != 0 {
		t.Errorf("after it: %d %s, results of a line that is no more: %v", status, text, d.currentStatus().Results)
	}
}
