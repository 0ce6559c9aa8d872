package admission

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/configs"
	"kerb/counting"
)

// The attacker knows the policy, the program, every other object and the moment of the
// passage, and asks one question: was there one more or not? Of all releases it takes the
// likelihood ratio, the best test that there is (Neyman and Pearson 1933). Its belief
// after them, from 50 %, must never exceed what kerb explain promises: not on average,
// but in any trial.

// others is the number of other objects. It lies above every threshold, so that numbers
// are rarely withheld, which is the attacker's gain.
const others = 40

// lawOf is discrete Laplace noise with probability proportional to exp(-|z|/scale).
type lawOf struct{ scale float64 }

// logRatio is the logarithm of the ratio of the likelihoods of y where the number is one
// and where it is the other; withheld: y is below the threshold.
func (l lawOf) logRatio(y, with, without int64, withheld bool, below int64) float64 {
	if withheld {
		return math.Log(l.below(below-with)) - math.Log(l.below(below-without))
	}
	return (math.Abs(float64(y-without)) - math.Abs(float64(y-with))) / l.scale
}

// below is the probability of noise below z.
func (l lawOf) below(z int64) float64 {
	q := math.Exp(-1 / l.scale)
	if z <= 0 {
		return math.Pow(q, float64(1-z)) / (1 + q)
	}
	return 1 - math.Pow(q, float64(z))/(1+q)
}

// attack adds up the trials of one attack.
type attack struct {
	trials, right int
	highest       float64 // log odds, of either answer
}

func (a *attack) addTrial(logRatio float64, passed bool) {
	a.trials++
	if logRatio > 0 == passed {
		a.right++
	}
	a.highest = max(a.highest, math.Abs(logRatio))
}

// belief is the belief from 50 % after so much evidence.
func belief(logOdds float64) float64 { return 100 / (1 + math.Exp(-logOdds)) }

// rig is one policy with what its explanation promises.
type rig struct {
	pol             *policy.Policy
	passage, sensor float64 // ε of one passage or stay, and of one object at a sensor
	start           time.Time
}

var (
	saysPassage = regexp.MustCompile(`costs at most ε = ([0-9]+(?:\.[0-9]+)?)`)
	saysSensor  = regexp.MustCompile(`that may count you costs ε = ([0-9]+(?:\.[0-9]+)?)`)
)

func newRig(t *testing.T, profile string) rig {
	t.Helper()
	text, err := configs.ReadPolicy(profile)
	if err != nil {
		t.Fatal(err)
	}
	pol, err := policy.Parse("policy.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := pol.Explain(&b, policy.English); err != nil {
		t.Fatal(err)
	}
	said := strings.Join(strings.Fields(b.String()), " ")
	r := rig{pol: pol, start: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	m := saysPassage.FindStringSubmatch(said)
	if m == nil {
		t.Fatalf("the explanation promises nothing:\n%s", said)
	}
	r.passage, _ = strconv.ParseFloat(m[1], 64)
	if r.sensor = r.passage; saysSensor.MatchString(said) {
		r.sensor, _ = strconv.ParseFloat(saysSensor.FindStringSubmatch(said)[1], 64)
	}
	return r
}

// clearTally clears a window, or a part of one, of n persons in the line's one direction.
func (r rig) clearTally(t *testing.T, tally counting.Tally) policy.Release {
	t.Helper()
	release, err := r.pol.Clear(tally)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// line is a tally of a window with so many persons.
func (r rig) line(stream string, n uint32) counting.Tally {
	tally := counting.Tally{Stream: stream, Kind: counting.LineStream, Start: r.start, End: r.start.Add(r.pol.Window()), Observed: r.pol.Window()}
	tally.Counted[counting.Person] = true
	tally.Crossings[counting.Person][counting.AToB] = n
	return tally
}

// lineRatio is the evidence of one release of a line that counts others, and one more.
func (r rig) lineRatio(release policy.Release) (sum float64) {
	for _, c := range release.Cells() {
		if c.Dir == counting.AToB {
			sum += lawOf{1 / release.Epsilon()}.logRatio(c.N, others+1, others, c.Ranged, c.Below)
		}
	}
	return sum
}

// zone is a tally of a zone with others of each class, and of the stay so many tenths of
// the mean and one of the peak in each of its classes.
func (r rig) zone(classes int, stay bool) counting.Tally {
	tally := counting.Tally{Stream: "zone", Kind: counting.ZoneStream, Start: r.start, End: r.start.Add(r.pol.Window()), Observed: r.pol.Window()}
	for i, c := range counting.CoarseClasses() {
		tally.Counted[c], tally.Presence[c], tally.Peak[c] = true, others*tally.Observed, others
		if stay && i < classes {
			tally.Presence[c] += tally.Observed / time.Duration(classes)
			tally.Peak[c]++
		}
	}
	return tally
}

// zoneRatio is the evidence of one release of a zone in which the stay would be seen as so
// many classes, one after the other.
func (r rig) zoneRatio(release policy.Release, classes int) (sum float64) {
	for i, c := range release.Cells() {
		if i >= classes || c.Ranged {
			continue
		}
		more := int64(math.Floor(10/float64(classes) + 0.5))
		sum += lawOf{20 / release.Epsilon()}.logRatio(int64(math.Round(10*c.Mean)), 10*others+more, 10*others, false, 0)
		sum += lawOf{2 / release.Epsilon()}.logRatio(c.Peak, others+1, others, false, 0)
	}
	return sum
}

// admitted is how many of m names for one camera the files admit, each with a line: the
// most for which the policy has no conflict. unmatched takes every name for a sensor.
func (r rig) admitted(t *testing.T, m int, unmatched bool) int {
	t.Helper()
	spellings := []string{"rtsp://10.0.0.9/stream1", "rtsp://10.0.0.9:554/stream2", "rtsp://10.0.0.9/Stream1/?fps=%d"}
	for n := m; n > 0; n-- {
		text := "[device]\nname = \"pi-1\"\nsite = \"s\"\ntenant = \"t\"\nstate = \"state\"\n[broker]\nurl = \"mqtt://127.0.0.1:1883\"\n"
		for i := range n {
			url := spellings[i%len(spellings)]
			if strings.Contains(url, "%d") {
				url = fmt.Sprintf(url, i%20+1)
			}
			text += fmt.Sprintf("[[camera]]\nname = \"cam-%d\"\nsource = %q\n[[camera.mask]]\npolygon = [[0, 0], [0.2, 0], [0.2, 0.2], [0, 0.2]]\n[[camera.line]]\nid = \"line-%d\"\nfrom = [0.1, 0.5]\nto = [0.9, 0.5]\nclasses = [\"person\"]\n", i, url, i)
		}
		path := filepath.Join(t.TempDir(), "site.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		site, err := config.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		requests := SiteRequests(site)
		if unmatched {
			for i := range requests.Streams {
				requests.Streams[i].Sensor = requests.Streams[i].ID
			}
		}
		if len(r.pol.CheckSite(requests)) == 0 {
			return n
		}
		if n > 8 {
			n = 9 // no policy admits more than eight streams of a sensor
		}
	}
	return 0
}

// cutAt returns the windows that end while kerb is stopped and started so many times
// within one, as package clock cuts them.
func (r rig) cutAt(restarts int) (parts []clock.Window) {
	at := func(d time.Duration) clock.Reading {
		return clock.Reading{Wall: r.start.Add(d), Mono: time.Hour + d, Awake: time.Hour + d, Synced: true}
	}
	piece := r.pol.Window() / time.Duration(restarts+1)
	w := clock.NewWindows(r.pol.Window(), at(0))
	for i := range restarts {
		ended, _ := w.StopAt(at(time.Duration(i+1) * piece))
		parts = append(parts, ended...)
		w = clock.NewWindows(r.pol.Window(), at(time.Duration(i+1)*piece+time.Millisecond))
	}
	ended, _ := w.AdvanceTo(at(r.pol.Window()))
	return append(parts, ended...)
}

// stayInParts clears the tallies of the parts of one window, in each of which one person stays. unguarded
// releases each part with its numbers, as before there was one release of a zone.
func (r rig) stayInParts(t *testing.T, restarts int, stay, unguarded bool) (sum float64, released int) {
	for _, part := range r.cutAt(restarts) {
		tally := r.zone(1, stay)
		tally.Start, tally.End, tally.Observed = part.Start, part.End, part.Observed()
		for c := range tally.Presence {
			tally.Presence[c] = time.Duration(float64(tally.Presence[c]) * float64(tally.Observed) / float64(r.pol.Window()))
		}
		if tally.Quality, tally.Reason = counting.Partial, counting.ReasonStopped; restarts == 0 {
			tally.Quality, tally.Reason = counting.OK, counting.NoReason
		}
		if unguarded {
			tally.End = r.start.Add(r.pol.Window())
		}
		if release := r.clearTally(t, tally); release.Quality() != counting.Gap {
			sum += r.zoneRatio(release, 1)
			released++
		}
	}
	return sum, released
}

// try is one attack: it returns the evidence of one trial.
type try struct {
	name     string
	promised float64 // ε, by the explanation
	trial    func(passed bool) float64
	control  bool // it must exceed the promise
}

func (r rig) listTries(t *testing.T, zones bool) (all []try) {
	count := func(passed bool) uint32 {
		if passed {
			return others + 1
		}
		return others
	}
	lines := func(n int) func(bool) float64 {
		return func(passed bool) (sum float64) {
			for range n {
				sum += r.lineRatio(r.clearTally(t, r.line("line", count(passed))))
			}
			return sum
		}
	}
	for _, m := range []int{4, 16, 64} {
		n := r.admitted(t, m, false)
		all = append(all, try{fmt.Sprintf("%d names of one camera, %d admitted", m, n), r.sensor, lines(n), false})
	}
	all = append(all, try{"16 names, each taken for a sensor", r.sensor, lines(16), r.admitted(t, 2, true) == 2})
	for _, c := range []int{1, 2, 4, 10} {
		all = append(all, try{fmt.Sprintf("C = %d passages in a day", c), float64(c) * r.passage, lines(c), false})
	}
	for _, k := range []int{1, 10, 40} {
		repeats := func(passed bool) float64 { // the same bytes tell the same, however often they come
			release := r.clearTally(t, r.line("line", count(passed)))
			stored, err := release.MarshalBinary()
			for range k {
				again, err2 := policy.RestoreRelease(stored)
				if err != nil || err2 != nil || again != release {
					t.Fatal("a repeat is another release")
				}
			}
			return r.lineRatio(release)
		}
		all = append(all, try{fmt.Sprintf("a window repeated and backfilled %d times", k), r.passage, repeats, false})
		parts := func(passed bool) (sum float64) { // it passes in one part of the window
			in, cut := rand.IntN(k+1), r.cutAt(k)
			for i, part := range cut {
				n := uint32(others)
				if i == in {
					n = count(passed)
				}
				tally := r.line("line", n)
				tally.Start, tally.End, tally.Observed, tally.Quality, tally.Reason = part.Start, part.End, part.Observed(), counting.Partial, counting.ReasonStopped
				if release := r.clearTally(t, tally); i == in {
					sum += r.lineRatio(release)
				}
			}
			return sum
		}
		all = append(all, try{fmt.Sprintf("a passage, %d restarts in the window", k), r.passage, parts, false})
	}
	all = append(all, try{"noise drawn again for 10 repeats", r.passage, lines(10), true})
	if !zones {
		return all
	}
	for _, k := range []int{0, 1, 4, 10, 40} {
		stay := func(unguarded bool) func(bool) float64 {
			return func(passed bool) float64 {
				sum, released := r.stayInParts(t, k, passed, unguarded)
				if !unguarded && released != 1 {
					t.Fatalf("%d releases of one window after %d restarts", released, k)
				}
				return sum
			}
		}
		all = append(all, try{fmt.Sprintf("a stay, %d restarts in the window", k), r.passage, stay(false), false})
		if k >= 10 {
			all = append(all, try{fmt.Sprintf("a stay, %d restarts, each part released", k), r.passage, stay(true), true})
		}
	}
	for _, c := range []int{1, 2, 3} {
		classes := func(passed bool) float64 { return r.zoneRatio(r.clearTally(t, r.zone(c, passed)), c) }
		all = append(all, try{fmt.Sprintf("a stay seen as %d classes", c), r.passage/2 + float64(c)*r.passage/2, classes, false})
		if c == 3 {
			all = append(all, try{"the same, as if it were one class", r.passage, classes, true})
		}
	}
	return all
}

// KERB_LONG plays ten times as many trials.
func TestNoAttackKnowsMoreThanExplainPromises(t *testing.T) {
	trials := 100
	if os.Getenv("KERB_LONG") != "" {
		trials = 1000
	}
	for _, profile := range []string{"standard", "strict"} {
		r := newRig(t, profile)
		t.Logf("%s: %-45s %9s %9s %9s", profile, "attack", "right", "highest", "promised")
		for _, y := range r.listTries(t, r.pol.AllowsKind(counting.ZoneStream)) {
			var a attack
			for i := range trials {
				a.addTrial(y.trial(i%2 == 0), i%2 == 0)
			}
			verdict := ""
			if exceeds := a.highest > y.promised+1e-9; exceeds != y.control {
				t.Errorf("%s: %s: belief %.1f %%, promised %.1f %%; a control: %t", profile, y.name, belief(a.highest), belief(y.promised), y.control)
			} else if exceeds {
				verdict = "  control, exceeds"
			}
			t.Logf("%s: %-45s %7.1f %% %7.1f %% %7.1f %%%s", profile, y.name, 100*float64(a.right)/float64(a.trials), belief(a.highest), belief(y.promised), verdict)
		}
	}
}
