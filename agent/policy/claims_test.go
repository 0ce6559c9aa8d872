package policy_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/agent/week"
	"kerb/counting"
)

// monday is a Monday, at midnight in UTC.
var monday = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// world is a policy and what its claims are held against.
type world struct {
	t      *testing.T
	p      *policy.Policy
	random *rand.Rand
	start  time.Time                 // of a window that the hours allow
	idle   map[time.Month]week.Spans // the idle hours in that month, where they were asked for
	broken bool                      // the program breaks each rule that holds under every policy: the control of their judges
}

// tally is a whole window of a stream of one class with n objects each way, or in the
// zone throughout.
func (w *world) tally(k counting.Kind, a, b int) counting.Tally {
	win := w.p.Window()
	t := counting.Tally{Stream: "s", Kind: k, Start: w.start, End: w.start.Add(win), Mono: time.Hour, Observed: win}
	for _, c := range counting.AllClasses() {
		if w.p.AllowsClass(c) {
			t.Counted[c] = true
			t.Crossings[c] = [counting.Directions]uint32{uint32(a), uint32(b)}
			t.Presence[c], t.Peak[c] = time.Duration(a)*win, uint32(a)
			break
		}
	}
	return t
}

// clear clears a tally that the policy must allow.
func (w *world) clear(t counting.Tally) policy.Release {
	w.t.Helper()
	r, err := w.p.Clear(t)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// cells are the cells of a window with n objects each way.
func (w *world) cells(k counting.Kind, a, b int) []policy.Cell {
	return w.clear(w.tally(k, a, b)).Cells()
}

// passage is a kind over which the policy counts passages; false: there is none.
func (w *world) passage() (counting.Kind, bool) {
	if w.p.AllowsKind(counting.LoopStream) {
		return counting.LoopStream, true
	}
	return counting.LineStream, w.p.AllowsKind(counting.LineStream)
}

// counted is the passage kind, or a zone.
func (w *world) counted() counting.Kind {
	if k, ok := w.passage(); ok {
		return k
	}
	return counting.ZoneStream
}

// with parses the policy with some keys of its canonical form replaced, given as pairs.
func (w *world) with(pairs ...string) (*policy.Policy, error) {
	lines := strings.Split(string(w.p.Canonical()), "\n")
	for i, l := range lines {
		for j := 0; j < len(pairs); j += 2 {
			if strings.HasPrefix(l, pairs[j]+" = ") {
				lines[i] = pairs[j] + " = " + pairs[j+1]
			}
		}
		if strings.HasPrefix(l, "alert") { // whose times belong to the window
			lines[i] = ""
		}
	}
	return policy.Parse("policy.toml", []byte(strings.Join(lines, "\n")))
}

// newWorld finds a window that the hours allow; nil: they allow none in that week of winter.
func newWorld(t *testing.T, p *policy.Policy, random *rand.Rand) *world {
	w := &world{t: t, p: p, random: random}
	for at := monday; at.Before(monday.AddDate(0, 0, 8)); at = at.Add(p.Window()) {
		w.start = at
		if r := w.clear(w.tally(w.counted(), 1, 1)); r.Quality() == counting.OK {
			return w
		}
	}
	return nil
}

// pick returns one of the values.
func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// some returns a random part of the values, not empty.
func some[T any](r *rand.Rand, values ...T) []T {
	out := slices.DeleteFunc(slices.Clone(values), func(T) bool { return r.IntN(2) == 0 })
	if len(out) == 0 {
		return []T{pick(r, values...)}
	}
	return out
}

// quote is a list of words in TOML.
func quote(words []string) string {
	if len(words) == 0 {
		return "[]"
	}
	return `["` + strings.Join(words, `", "`) + `"]`
}

// randomPolicy draws policies until Parse takes one.
func randomPolicy(t *testing.T, r *rand.Rand) *policy.Policy {
	for range 10_000 {
		var b strings.Builder
		line := func(key string, value any) { fmt.Fprintf(&b, "%s = %v\n", key, value) }
		method := pick(r, "noise", "noise", "suppress", "bands")
		purpose := pick(r, "statistical", "operational")
		line("schema", `"kerb.policy/1"`)
		line("version", 1+r.IntN(9))
		line("title", `"`+pick(r, "", "Street", "Töölö – koe")+`"`)
		line("purpose", `"`+purpose+`"`)
		line("controller", fmt.Sprintf(`{name = %q, contact = %q}`, pick(r, "", "City"), pick(r, "", "dpo@city.example")))
		streams := some(r, "line", "zone", "loop")
		if method == "bands" {
			streams = []string{"zone"}
		}
		line("count.streams", quote(streams))
		classes := some(r, "person", "bicycle", "vehicle")
		line("count.classes", quote(classes))
		if method != "bands" && r.IntN(2) == 0 {
			names := []string{"occupancy", "speed"}
			if method == "noise" {
				names = append(names, "speeds", "lengths", "headways", "gaps", "congested", "standing")
			}
			line("count.quantities", quote(some(r, names...)))
		}
		line("camera.pixels", pick(r, `"640x480"`, `"320x240"`, `"160x120"`))
		line("camera.follow_max", pick(r, `"0s"`, `"10s"`, `"30s"`, `"1m"`))
		line("camera.masks_required", pick(r, "true", "false"))
		if r.IntN(3) == 0 {
			line("hours", `{open = `+quote(some(r, "Mon-Fri 07:00-19:00", "Sat 00:00-24:00", "Sun 06:00-23:30", "Sat 08:40-09:25"))+`, timezone = `+pick(r, `"UTC"`, `"Europe/Helsinki"`, `"Asia/Kolkata"`)+`}`)
		}
		bands := pick(r, []int{5, 10, 20}, []int{10}, []int{6, 20, 50, 100})
		below, window := pick(r, 0, 1, 3, 5, 10, 40, 60), pick(r, "1m", "5m", "15m", "30m", "1h", "2h", "24h")
		clear := fmt.Sprintf(`window = %q, method = %q, overlap = %d`, window, method, pick(r, 1, 1, 2, 3, 4))
		switch method {
		case "noise":
			clear += fmt.Sprintf(", epsilon = %v, below = %d", pick(r, 0.05, 0.2, 0.5, 1, 1.5, 2), below)
		case "suppress":
			clear += fmt.Sprintf(", below = %d, round = %d, totals = %v", pick(r, 5, 7, 10, 45), pick(r, 1, 5, 10), r.IntN(2) == 0)
		case "bands":
			clear += ", bands = " + strings.ReplaceAll(fmt.Sprint(bands), " ", ", ")
		}
		line("clear", "{"+clear+"}")
		line("keep.retention", pick(r, `"1h"`, `"24h"`, `"72h"`, `"168h"`))
		if r.IntN(2) == 0 {
			line("aim", `{show = "silhouettes", session = `+pick(r, `"10m"`, `"1h"`)+`}`)
		}
		if r.IntN(3) == 0 {
			line("status.page", pick(r, "true", "false"))
		}
		line("broker.commands", quote(pick(r, nil, []string{"resend"}, []string{"resend", "watermark"}, []string{"watermark", "want"})))
		if r.IntN(4) == 0 {
			line("mask", `[{camera = "north", area = [[0, 0], [0.3, 0], [0, 0.5]]}]`)
		}
		if method == "bands" && purpose == "operational" && len(bands) > 1 && r.IntN(2) == 0 {
			line("alert", fmt.Sprintf(`[{stream = "s", class = %q, raise = %d, clear = %d, for = %q}]`, classes[0], bands[1], bands[0], window))
		}
		if p, err := policy.Parse("policy.toml", []byte(b.String())); err == nil {
			return p
		}
	}
	t.Fatal("no random policy is valid")
	return nil
}

// mutants are claims that each say something else in one parameter.
func mutants(c policy.Claim) (out []policy.Claim) {
	for name, v := range c.Params {
		var other []any
		switch v := v.(type) {
		case bool:
			other = []any{!v}
		case int:
			other = []any{v + max(1, v/2), v - max(1, v/2)}
		case int64:
			other = []any{v + 1}
		case float64:
			if isShare(name) && v < 0.5 {
				other = []any{v + 0.3}
			} else if isShare(name) {
				other = []any{v - 0.3}
			} else {
				other = []any{2*v + 1, v / 3}
			}
		case time.Duration:
			other = []any{2 * v, v / 2}
		case string:
			other = []any{v + "x"}
		case []string:
			other = []any{append(slices.Clone(v), "picture"), v[1:]}
		case []int:
			other = []any{v[1:], append(slices.Clone(v), v[len(v)-1]+9)}
		case []counting.Kind:
			other = []any{v[1:]}
			for k := counting.LineStream; k <= counting.LoopStream; k++ {
				if !slices.Contains(v, k) {
					other = append(other, append(slices.Clone(v), k))
				}
			}
		case []counting.Class:
			other = []any{v[1:], append(slices.Clone(v), counting.Heavy)}
		case counting.Class:
			other = []any{counting.Heavy}
		case week.Spans:
			s := slices.Clone(v)
			s[0].From += 60
			other = []any{s, v[1:]}
		default:
			panic(fmt.Sprintf("%s of %s: %T", name, c.Kind, v))
		}
		for _, o := range other {
			if reflect.DeepEqual(o, v) {
				continue
			}
			m := policy.Claim{Kind: c.Kind, Params: map[string]any{}}
			for n, v := range c.Params {
				m.Params[n] = v
			}
			m.Params[name] = o
			out = append(out, m)
		}
	}
	return out
}

// isShare reports whether a parameter is a part of one.
func isShare(name string) bool {
	return strings.HasPrefix(name, "belief") || strings.HasPrefix(name, "hidden") || name == "small"
}

// eachClaim calls f with every claim of a policy.
func eachClaim(p *policy.Policy, f func(policy.Claim)) {
	for _, s := range p.Claims() {
		for _, g := range s.Paragraphs {
			for _, c := range g.Claims {
				f(c)
			}
		}
	}
}

// claimPolicies is the number of random policies.
const claimPolicies = 500

// trial is how judges fared: with the claims of policies, and with false ones.
type trial struct {
	seen           map[string]int            // claims, by kind
	params         map[string]map[string]int // of each kind
	caught, missed map[string]int            // false claims, by kind, or kind and parameter
}

func newTrial() *trial {
	return &trial{map[string]int{}, map[string]map[string]int{}, map[string]int{}, map[string]int{}}
}

// note counts a false claim by the verdict of its judge.
func (r *trial) note(name string, passed bool) {
	if passed {
		r.missed[name]++
	} else {
		r.caught[name]++
	}
}

// hold holds a claim against the program, and with mutate its mutants.
func (r *trial) hold(w *world, c policy.Claim, mutate func(seen int) bool) {
	judge := judges[c.Kind]
	if judge == nil {
		w.t.Fatalf("a claim of kind %s is held against nothing", c.Kind)
	}
	if !judge(w, c.Params) {
		w.t.Errorf("false: %s %v, under\n%s", c.Kind, c.Params, w.p.Canonical())
	}
	if r.params[c.Kind] == nil {
		r.params[c.Kind] = map[string]int{}
	}
	for name := range c.Params {
		r.params[c.Kind][name]++
	}
	if r.seen[c.Kind]++; !mutate(r.seen[c.Kind]) {
		return
	}
	for _, m := range mutants(c) {
		r.note(c.Kind+"."+changedParam(c, m), judge(w, m.Params))
	}
}

// holdBare holds the claims without parameters that the policy does not make against it,
// and those that are true of all against a program that breaks them.
func (r *trial) holdBare(w *world, said map[string]bool) {
	broken := *w
	broken.broken = true
	for kind, holds := range bare {
		switch {
		case holds == always:
			if r.caught[kind]+r.missed[kind] < 3 {
				r.note(kind, judges[kind](&broken, nil))
			}
		case !said[kind]:
			passed := judges[kind](w, nil)
			if r.note(kind, passed); passed && holds == exclusive {
				w.t.Errorf("true and not said: %s, of\n%s", kind, w.p.Canonical())
			}
		}
	}
}

// check reports each judge that has no control: every parameter of a claim, and every claim
// without any, must have been found false of something, and hardly ever passed when it was.
func (r *trial) check(t *testing.T, kinds ...string) {
	for _, kind := range kinds {
		names := []string{kind}
		for name := range r.params[kind] {
			if names[0] == kind {
				names = nil
			}
			names = append(names, kind+"."+name)
		}
		if _, listed := bare[kind]; listed != (len(r.params[kind]) == 0) {
			t.Errorf("%s: it has parameters %v, and is listed as one without: %v", kind, r.params[kind], listed)
		}
		for _, name := range names {
			if r.caught[name] == 0 {
				t.Errorf("%s: its judge has found nothing to be false: it has no control", name)
			}
		}
		if r.seen[kind] == 0 {
			t.Errorf("%s is never said", kind)
		}
	}
	for name, n := range r.missed {
		if least := map[truth]int{"": 20 * n, exclusive: 20 * n, elsewhere: 1, always: math.MaxInt}[bare[name]]; r.caught[name] < least {
			t.Errorf("%s: %d false claims pass as true, %d are found", name, n, r.caught[name])
		}
	}
}

// Every sentence of kerb explain is made from a claim, in both languages; each claim of
// 500 random policies is held against what the program does. The control of every judge: a
// claim with another value in any of its parameters is found to be false, and a claim
// without parameters is false of other policies, or, if it is true of all, of a program that
// breaks it.
func TestWhatExplainSaysIsWhatTheProgramDoes(t *testing.T) {
	if testing.Short() {
		t.Skip("short: 500 policies take 20 s of processor time")
	}
	random := rand.New(rand.NewPCG(22, 1))
	var worlds []*world
	for len(worlds) < claimPolicies {
		if w := newWorld(t, randomPolicy(t, random), random); w != nil {
			worlds = append(worlds, w)
		}
	}
	r := newTrial()
	for i, w := range worlds {
		said := map[string]bool{}
		for _, l := range []policy.Language{policy.English, policy.Finnish} {
			if err := w.p.Explain(&bytes.Buffer{}, l); err != nil {
				t.Fatal(err)
			}
		}
		eachClaim(w.p, func(c policy.Claim) {
			said[c.Kind] = true
			r.hold(w, c, func(seen int) bool { return i%8 == 0 || seen <= 20 })
		})
		r.holdBare(w, said)
	}
	var kinds []string
	for kind := range judges {
		if kind != demonstrationKind {
			kinds = append(kinds, kind)
		}
	}
	r.check(t, kinds...)
	t.Logf("%d claims of %d kinds, %d policies", sum(r.seen), len(r.seen), len(worlds))
	t.Logf("%d false claims found, %d not", sum(r.caught), sum(r.missed))
}

// demonstrationKind is the claim that no policy file makes.
const demonstrationKind = "demonstration"

// Each sentence has a judge, in both languages, and each judge a sentence.
func TestEachSentenceHasAJudge(t *testing.T) {
	for _, l := range []policy.Language{policy.English, policy.Finnish} {
		said := policy.SentenceKinds(l)
		for _, kind := range said {
			if judges[kind] == nil {
				t.Errorf("%s, %s: a sentence without a judge", l, kind)
			}
		}
		if len(said) != len(judges) {
			t.Errorf("%s: %d sentences, %d judges", l, len(said), len(judges))
		}
	}
}

// changedParam is the parameter in which two claims differ.
func changedParam(a, b policy.Claim) string {
	for name := range a.Params {
		if !reflect.DeepEqual(a.Params[name], b.Params[name]) {
			return name
		}
	}
	return ""
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// The demonstration's policy is no file's, so it is held against its claims by itself.
func TestWhatExplainSaysOfTheDemonstration(t *testing.T) {
	r := newTrial()
	for _, p := range []*policy.Policy{policy.Demo(), policy.DemoLoops(), policy.DemoBusy()} {
		w := newWorld(t, p, rand.New(rand.NewPCG(22, 2)))
		eachClaim(p, func(c policy.Claim) {
			r.hold(w, c, func(int) bool { return c.Kind == demonstrationKind })
		})
	}
	r.check(t, demonstrationKind)
}

// within reports whether a mean of n draws is what it should be, to six standard
// deviations.
func within(mean, want, deviation float64, n int) bool {
	return math.Abs(mean-want) <= 6*deviation/math.Sqrt(float64(n))+1e-9
}
