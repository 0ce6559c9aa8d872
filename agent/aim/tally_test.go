package aim

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"kerb/agent/aim/record"
	"kerb/counting"
)

// GEH's own examples: a worked table of the UK's guidance, and the symmetry.
func TestGEH(t *testing.T) {
	for _, c := range []struct{ m, c, want float64 }{{0, 0, 0}, {100, 100, 0}, {1100, 1000, 3.086}, {120, 80, 4}, {80, 120, 4}} {
		if got := GEH(c.m, c.c); math.Abs(got-c.want) > 0.01 {
			t.Errorf("GEH(%g, %g) = %.3f, want %.3f", c.m, c.c, got, c.want)
		}
	}
}

func TestATallyMatchesWhatBothSaw(t *testing.T) {
	s := time.Second
	p := func(at time.Duration, c counting.Class, d counting.Direction) passage {
		return passage{class: c, dir: d, at: at}
	}
	tally := &tally{line: "kerb", hand: []passage{
		p(10*s, counting.Person, counting.AToB), p(11*s, counting.Person, counting.AToB), p(20*s, counting.Vehicle, counting.BToA), p(30*s, counting.Person, counting.AToB),
	}, device: []passage{
		p(9*s, counting.Person, counting.AToB), p(12*s, counting.Person, counting.AToB), p(20*s, counting.Person, counting.BToA), p(34*s, counting.Person, counting.AToB),
	}}
	r := tally.computeResult(60 * s)
	if r.Matched != 2 || r.Hand != 4 || r.Device != 4 || r.Error != 0 {
		t.Errorf("%+v: right by luck is no match: another class, and four seconds late", r)
	}
	if r.Low >= -0.5 || r.High <= 0.5 {
		t.Errorf("an interval of %.2f to %.2f hides two missed and two made up of four", r.Low, r.High)
	}
	if r.Verdict != VerdictFew {
		t.Errorf("%s of four passages", r.Verdict)
	}
	tally.device = nil
	if r = tally.computeResult(60 * s); r.Error != -1 || r.Low != -1 || r.High <= -1 {
		t.Errorf("%+v: a device misses all at most", r)
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		hand, device, matched int
		want                  string
	}{
		{50, 50, 49, VerdictGood},
		{50, 48, 48, VerdictGood},
		{50, 30, 30, VerdictPoor},
		{50, 80, 50, VerdictPoor},
		{25, 22, 20, VerdictOpen},
		{19, 19, 19, VerdictFew},
		{0, 0, 0, VerdictFew},
	} {
		r := Result{Hand: c.hand, Device: c.device, Matched: c.matched}
		if r.computeVerdict(15 * time.Minute); r.Verdict != c.want {
			t.Errorf("%d by hand, %d by device, %d of both: %s, want %s (%+v)", c.hand, c.device, c.matched, r.Verdict, c.want, r)
		}
	}
}

// The coverage of the interval: over many streets whose device misses and invents
// passages at known rates, the true error lies in it at least 95 % of the time.
func TestTheIntervalHoldsTheTrueError(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, rate := range []struct{ miss, extra float64 }{{0.02, 0.02}, {0.1, 0.05}, {0, 0.1}, {0.3, 0}} {
		const streets, passages = 4000, 50
		held := 0
		for range streets {
			missed, extra := 0, 0
			for range passages {
				if rng.Float64() < rate.miss {
					missed++
				}
				if rng.Float64() < rate.extra {
					extra++
				}
			}
			r := Result{Hand: passages, Matched: passages - missed, Device: passages - missed + extra}
			r.computeVerdict(15 * time.Minute)
			if truth := rate.extra - rate.miss; r.Low <= truth && truth <= r.High {
				held++
			}
		}
		if part := float64(held) / streets; part < 0.95 {
			t.Errorf("missing %.0f %%, making up %.0f %%: held in %.1f %%", 100*rate.miss, 100*rate.extra, 100*part)
		}
	}
}

func TestATallyFromStartToAcceptance(t *testing.T) {
	d := openSession(t, nil)
	b := d.guest()
	ask := func(path string, body any) (r Result) {
		t.Helper()
		status, text := b.post("/tally/"+path, body)
		if err := json.Unmarshal([]byte(text), &r); status != http.StatusOK || err != nil {
			t.Fatalf("%s: %d %s", path, status, text)
		}
		return r
	}
	if status, _ := b.post("/tally/press", map[string]string{"class": "person", "dir": "a_to_b"}); status != http.StatusBadRequest {
		t.Errorf("a press before the start: %d", status)
	}
	ask("start", map[string]string{"line": "kerb"})
	for range 24 {
		d.lock(func() { d.now += 10 * time.Second })
		r := report(1)
		r.Layout, r.NCrossings, r.Crossings[0] = 1, 1, record.Crossing{Line: 0, Class: uint8(counting.Car), Dir: uint8(counting.BToA)}
		d.HandleReport(r) // counted as vehicle
		ask("press", map[string]string{"class": "vehicle", "dir": "b_to_a"})
	}
	ask("press", map[string]string{"class": "person", "dir": "b_to_a"})
	if r := ask("undo", nil); r.Hand != 24 || r.Done {
		t.Errorf("%+v", r)
	}
	if status, _ := b.post("/tally/accept", nil); status != http.StatusBadRequest {
		t.Errorf("accepted while it is counted: %d", status)
	}
	r := ask("finish", nil)
	if r.Hand != 24 || r.Device != 24 || r.Matched != 24 || r.Verdict != VerdictGood || r.Seconds != 240 {
		t.Errorf("%+v", r)
	}
	ask("accept", nil)
	if len(d.kept) != 1 || d.hasNoted() != "entered accepted" {
		t.Errorf("kept %v, noted %s", d.kept, d.hasNoted())
	}
}

// The interval of a difference covers its truth: summed up over the distribution itself,
// without chance, for means from half a passage to forty.
func TestTheIntervalOfADifferenceCoversIt(t *testing.T) {
	means := []float64{0.5, 1, 2, 4, 8, 16, 40}
	sum := 0.0
	for _, lambda := range means {
		for _, mu := range means {
			covered := 0.0
			px := math.Exp(-lambda)
			for x := 0.0; x < lambda+60; x++ {
				py := math.Exp(-mu)
				for y := 0.0; y < mu+60; y++ {
					if low, high := boundDifference(x, y); low <= lambda-mu && lambda-mu <= high {
						covered += px * py
					}
					py *= mu / (y + 1)
				}
				px *= lambda / (x + 1)
			}
			if covered < 0.93 {
				t.Errorf("means %g and %g: covered with %.4f", lambda, mu, covered)
			}
			sum += covered
		}
	}
	if mean := sum / float64(len(means)*len(means)); mean < 0.95 || mean > 0.98 {
		t.Errorf("covered with %.4f on the mean", mean)
	}
	if low, high := boundDifference(0, 0); low > -3 || high < 3 {
		t.Errorf("nothing differs: %g to %g, want a width", low, high)
	}
}

// A tally keeps the light of its pictures.
func TestATallyKnowsItsLight(t *testing.T) {
	for _, c := range []struct {
		shades []int
		want   string
	}{{nil, ""}, {[]int{100, 90}, LightDay}, {[]int{30, 50, 80}, LightDark}} {
		var a tally
		for _, s := range c.shades {
			a.shade, a.shades = a.shade+s, a.shades+1
		}
		if got := a.computeResult(time.Minute).Light; got != c.want {
			t.Errorf("%v: %q, want %q", c.shades, got, c.want)
		}
	}
}
