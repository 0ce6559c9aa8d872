package fleet

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"kerb/agent/relay"
)

// Limits above which a device is listed by the ledger. They equal those of
// the alert rules in configs/kit.
const (
	leastComplete = 0.99
	mostSlow      = 3 // windows of a stream in the judged days
	mostProgram   = 1
	judgedDays    = 2 // the day of the ledger (UTC) and the one before
	recentEvent   = 24 * time.Hour
	recentDrift   = 30 * 24 * time.Hour
	oldestLedger  = 24 * time.Hour
)

// The reasons of windows that are judged: see words.md.
var (
	loopReasons    = []string{"loop_relay", "loop_card", "loop_stuck_on", "loop_chatter"}
	slowReasons    = []string{"stalled", "key_frames"}
	programReasons = []string{"unknown", "sense_lost"}
)

// readLedger reads the ledger of a kerb relay: path is the folder of its position, or a
// file with the output of kerb relay -ledger -json. nil without a path.
func readLedger(path string, now time.Time) (*relay.Ledger, error) {
	if path == "" {
		return nil, nil
	}
	i, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	l := &relay.Ledger{}
	if i.IsDir() {
		l, err = relay.ReadLedger(path, "")
	} else {
		var b []byte
		if b, err = os.ReadFile(path); err == nil {
			err = json.Unmarshal(b, l)
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the ledger from %s: %w", path, err)
	case now.Sub(l.At) > oldestLedger:
		return nil, fmt.Errorf("the ledger in %s is of %s: make it anew with kerb relay -ledger -json", path, l.At.UTC().Format(time.RFC3339))
	}
	return l, nil
}

// judgeLedger adds the problems of one device that windows and events tell. Problems of
// counting are those of the last judgedDays.
func (h *Health) judgeLedger(d *device, l *relay.Ledger, now time.Time) {
	first := l.At.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-judgedDays).Format(time.DateOnly)
	streams := map[string]*streamSum{}
	for _, r := range l.Rows {
		if r.Tenant+"/"+r.Site+"/"+r.Device != d.Address || r.Day < first || r.MadeUp {
			continue
		}
		if streams[r.Stream] == nil {
			streams[r.Stream] = &streamSum{reasons: map[string]int{}}
		}
		streams[r.Stream].add(r)
	}
	for _, name := range sortedKeys(streams) {
		h.judgeStream(d, name, streams[name])
	}
	for _, e := range l.Told {
		if e.Tenant+"/"+e.Site+"/"+e.Device == d.Address {
			h.judgeEvent(d, e, now)
		}
	}
}

// streamSum is the account of a stream over the judged days.
type streamSum struct {
	due, here, clashes int
	reasons            map[string]int
}

func (s *streamSum) add(r relay.Row) {
	s.due, s.clashes = s.due+r.Due, s.clashes+r.Clashes
	s.here += r.Received - r.Parts
	for _, m := range []map[string]int{r.Gaps, r.Partial} {
		for reason, n := range m {
			s.reasons[reason] += n
		}
	}
}

// sum returns how many windows have one of these reasons.
func (s *streamSum) sum(reasons []string) (n int) {
	for _, r := range reasons {
		n += s.reasons[r]
	}
	return n
}

func (h *Health) judgeStream(d *device, name string, s *streamSum) {
	if float64(s.here) < leastComplete*float64(s.due) {
		h.add(d, "incomplete", "%s: %d of %d windows are here", name, s.here, s.due)
	}
	if s.clashes > 0 {
		h.add(d, "twin", "%s: %d windows came under numbers of others, with other bytes", name, s.clashes)
	}
	for _, c := range []struct {
		word    string
		reasons []string
		most    int
	}{{"loop", loopReasons, 0}, {"slow", slowReasons, mostSlow}, {"program", programReasons, mostProgram}} {
		if s.sum(c.reasons) > c.most {
			own := map[string]int{}
			for _, r := range c.reasons {
				if s.reasons[r] > 0 {
					own[r] = s.reasons[r]
				}
			}
			h.add(d, c.word, "%s: windows with the reason %s", name, relay.Reasons(own))
		}
	}
}

// judgeEvent adds the problem that an event tells, while it is recent. A device that is
// online again has files without mistakes.
func (h *Health) judgeEvent(d *device, e relay.Told, now time.Time) {
	var data struct {
		Act, A, B string
		Drifted   bool
		Mistakes  []string
	}
	age := now.Sub(e.Received)
	if json.Unmarshal(e.Data, &data) != nil {
		return
	}
	switch {
	case e.Kind == "aim" && age < recentEvent:
		h.add(d, "aim", "%s at %s", data.Act, e.Received.UTC().Format(time.RFC3339))
	case e.Kind == "config_refused" && age < recentEvent && (d.State == nil || !d.State.Online || d.State.At.Before(e.Received)):
		h.add(d, "config_refused", "%s", strings.Join(data.Mistakes[:min(len(data.Mistakes), 1)], ""))
	case e.Kind == "streams_drift" && age < recentDrift && data.Drifted:
		h.add(d, "drift", "%s and %s", data.A, data.B)
	}
}

// notJudged returns the words that need a ledger, where there is none.
func notJudged(l *relay.Ledger) (words []string) {
	for _, w := range problemWords {
		if l == nil && slices.Contains(ledgerWords, w.Word) {
			words = append(words, w.Word)
		}
	}
	return words
}
