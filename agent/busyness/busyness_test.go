package busyness_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kerb/agent/busyness"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
)

// policyText counts people in bands, and raises an alert after %s.
const policyText = `schema = "kerb.policy/1"
version = 1
purpose = "operational"
count = {streams = ["zone"], classes = ["person"]}
clear = {window = "1m", method = "bands", bands = [5, 10, 20]}
keep.retention = "168h"
`

const alertText = `alert = [{stream = "plaza", class = "person", raise = 20, clear = 10, for = "%s"}]
`

func parsePolicy(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// windowAt returns the i-th window of the zone with so many people in it; below 0 it is
// a gap.
func windowAt(t testing.TB, p *policy.Policy, i, people int) policy.Release {
	t.Helper()
	start := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC).Add(time.Duration(i) * p.Window())
	tally := counting.Tally{
		Stream: "plaza", Kind: counting.ZoneStream, Start: start, End: start.Add(p.Window()),
		Mono: time.Hour + time.Duration(i+1)*p.Window(), Observed: p.Window(),
	}
	tally.Counted[counting.Person] = true
	if people < 0 {
		tally.Quality, tally.Reason, tally.Observed = counting.Gap, counting.ReasonCameraLost, 0
	} else {
		tally.Presence[counting.Person] = time.Duration(people) * p.Window()
	}
	r, err := p.Clear(tally)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func openStore(t testing.TB, path string, p *policy.Policy) *store.Store {
	t.Helper()
	s, err := store.Open(path, store.DeriveWith(busyness.New(p.Alerts()).Derive),
		store.WallClock(func() time.Time { return time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC) }))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// busyNotes returns the events "busy" of the spool as text.
func busyNotes(s *store.Store) (all []string) {
	for _, n := range s.PendingNotes() {
		if n.Kind == "busy" {
			text := fmt.Sprintf("%v since %v", n.Data["on"], toInt(n.Data["since_seq"]))
			if until := n.Data["until_seq"]; until != nil {
				text += fmt.Sprintf(" until %v", toInt(until))
			}
			if why := n.Data["why"]; why != nil {
				text += fmt.Sprintf(" %v", why)
			}
			all = append(all, text)
		}
	}
	return all
}

// toInt returns a number of a note, which is a float64 once it was read from the file.
func toInt(v any) int {
	switch v := v.(type) {
	case uint64:
		return int(v)
	case float64:
		return int(v)
	}
	return -1
}

func TestABreachIsToldOnceAndItsEndOnce(t *testing.T) {
	const gap = -1
	for name, c := range map[string]struct {
		hold   string
		people []int
		want   []string
	}{
		"a crowd that comes and goes":         {"1m", []int{0, 25, 25, 0, 0}, []string{"true since 2", "false since 2 until 4 cleared"}},
		"between the two it stays":            {"1m", []int{15, 25, 15, 12, 25, 15, 9, 15}, []string{"true since 2", "false since 2 until 7 cleared"}},
		"the band, not the number":            {"1m", []int{19, 20, 10, 9}, []string{"true since 2", "false since 2 until 4 cleared"}},
		"noise around raise":                  {"1m", []int{19, 21, 18, 22, 19, 20, 17, 23}, []string{"true since 2"}},
		"noise around clear":                  {"1m", []int{25, 11, 9, 11, 8, 12, 9}, []string{"true since 1", "false since 1 until 3 cleared"}},
		"too short for three minutes":         {"3m", []int{25, 25, 15, 25, 25, 15}, nil},
		"three minutes, and three to end":     {"3m", []int{25, 25, 25, 25, 0, 0, 15, 0, 0, 0}, []string{"true since 1", "false since 1 until 8 cleared"}},
		"a gap interrupts a run":              {"2m", []int{25, gap, 25, 25}, []string{"true since 3"}},
		"a gap ends nothing":                  {"1m", []int{25, gap, gap, gap, 25}, []string{"true since 1"}},
		"a gap, and then it is over":          {"1m", []int{25, gap, 0}, []string{"true since 1", "false since 1 until 3 cleared"}},
		"nothing but gaps":                    {"1m", []int{gap, gap}, nil},
		"a second breach is another event":    {"1m", []int{25, 0, 25}, []string{"true since 1", "false since 1 until 2 cleared", "true since 3"}},
		"quiet all the time (nothing to end)": {"1m", []int{0, 0, 9, 15}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := parsePolicy(t, policyText+fmt.Sprintf(alertText, c.hold))
			s := openStore(t, filepath.Join(t.TempDir(), "spool"), p)
			defer s.Close()
			for i, people := range c.people {
				if _, err := s.Append([]policy.Release{windowAt(t, p, i, people)}); err != nil {
					t.Fatal(err)
				}
			}
			if got := busyNotes(s); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestNoRestartTellsTwiceOrLosesAnEnd stores the same windows with and without restarts
// between them, orderly ones and kill -9. The events are the same.
func TestNoRestartTellsTwiceOrLosesAnEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := parsePolicy(t, policyText+fmt.Sprintf(alertText, rapid.SampledFrom([]string{"1m", "2m", "3m"}).Draw(rt, "for")))
		dir, err := os.MkdirTemp("", "kerb-busyness-")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		plain, path := openStore(t, filepath.Join(dir, "plain"), p), filepath.Join(dir, "restarted")
		restarted := openStore(t, path, p)
		defer func() { plain.Close(); restarted.Close() }()
		heard, expected := map[string]bool{}, map[string]bool{}
		people := rapid.SliceOfN(rapid.SampledFrom([]int{-1, 0, 15, 15, 25, 25}), 1, 12).Draw(rt, "people")
		for i, n := range people {
			r := windowAt(t, p, i, n)
			for _, s := range []*store.Store{plain, restarted} {
				if _, err := s.Append([]policy.Release{r}); err != nil {
					rt.Fatal(err)
				}
			}
			for _, e := range plain.PendingNotes() {
				expected[describe(e)] = true
			}
			switch rapid.IntRange(0, 3).Draw(rt, "restart") {
			case 1: // in order
				if err := restarted.Close(); err != nil {
					rt.Fatal(err)
				}
				restarted = openStore(t, path, p)
			case 2: // killed: the file as it is on the disk
				killed := filepath.Join(dir, fmt.Sprint("killed", i))
				copyFile(t, path, killed)
				copyFile(t, path+".witness", killed+".witness")
				if err := restarted.Close(); err != nil {
					rt.Fatal(err)
				}
				path, restarted = killed, openStore(t, killed, p)
			}
			for _, e := range restarted.PendingNotes() {
				if e.Kind != "busy" {
					continue
				}
				// The seq of an epoch begins at 1, so that windows are named by their start.
				if heard[describe(e)] = true; rapid.Bool().Draw(rt, "delivered") {
					restarted.RemoveNote(e)
				}
			}
		}
		for what := range expected {
			if what != "" && !heard[what] {
				rt.Fatalf("%v: %q is lost: %v, want %v", people, what, heard, expected)
			}
		}
		for what := range heard {
			if !expected[what] {
				rt.Fatalf("%v: %q is too much: %v, want %v", people, what, heard, expected)
			}
		}
	})
}

// describe names an event "busy" by the start of its breach; "" for other events.
func describe(n store.Note) string {
	if n.Kind != "busy" {
		return ""
	}
	return fmt.Sprint(n.Data["on"], n.Data["since"])
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if os.IsNotExist(err) {
		return
	}
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnAlertThatIsTakenOutEnds: the policy of the next start does not have it.
func TestAnAlertThatIsTakenOutEnds(t *testing.T) {
	with, without := parsePolicy(t, policyText+fmt.Sprintf(alertText, "1m")), parsePolicy(t, policyText)
	path := filepath.Join(t.TempDir(), "spool")
	s := openStore(t, path, with)
	if _, err := s.Append([]policy.Release{windowAt(t, with, 0, 25)}); err != nil {
		t.Fatal(err)
	}
	if _, facts := s.Latest(nil); !busyness.IsBusy(busyness.New(with.Alerts()).Alarms(facts)) {
		t.Error("it is not busy")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path, without)
	defer s.Close()
	for i := range 2 {
		if _, err := s.Append([]policy.Release{windowAt(t, without, 1+i, 25)}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := busyNotes(s), []string{"true since 1", "false since 1 removed"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
