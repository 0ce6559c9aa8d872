package policy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kerb/agent/week"
	"kerb/counting"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// window is a full window of a stream that counts all that the policy allows,
// with vehicles in one piece.
func window(p *Policy, k counting.Kind) counting.Tally {
	t := counting.Tally{
		Stream: "north-kerb", Kind: k, Start: noon, End: noon.Add(p.Window()),
		Mono: time.Hour, Observed: p.Window(),
	}
	for c := counting.Person; c <= counting.Vehicle; c++ {
		t.Counted[c] = p.AllowsClass(c)
	}
	return t
}

// parse is Parse of a text that must be right.
func parse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse("policy.toml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

// Short policies of each method, for tests that change one thing in them.
const (
	head = `schema = "kerb.policy/1"
version = 3
purpose = "statistical"
count.streams = ["line", "zone", "loop"]
count.classes = ["person", "bicycle", "vehicle"]
camera.follow_max = "30s"
keep.retention = "72h"
`
	noisy      = head + "clear = {window = \"15m\", method = \"noise\", epsilon = 1, below = 5, overlap = 2}\n"
	suppressed = head + "clear = {window = \"15m\", method = \"suppress\", below = 10, round = 10, totals = true}\n"
	banded     = `schema = "kerb.policy/1"
version = 3
purpose = "operational"
count.streams = ["zone"]
count.classes = ["person", "bicycle", "vehicle"]
clear = {window = "1m", method = "bands", bands = [5, 10, 20]}
keep.retention = "24h"
`
)

func shipped(t testing.TB) map[string]*Policy {
	t.Helper()
	paths, err := filepath.Glob("../../configs/policy-*.toml")
	if err != nil || len(paths) != 5 {
		t.Fatalf("%d shipped policies: %v", len(paths), err)
	}
	all := map[string]*Policy{}
	for _, path := range paths {
		p, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "policy-"), ".toml")] = p
	}
	return all
}

func TestTheShippedPoliciesAreWhatTheyAreCalled(t *testing.T) {
	all := shipped(t)
	for _, want := range []struct {
		name    string
		window  time.Duration
		method  Method
		epsilon float64
		below   int
	}{
		{"standard", 15 * time.Minute, Noise, 1, 5},
		{"strict", time.Hour, Noise, 0.5, 10},
		{"traffic", 5 * time.Minute, Suppress, 0, 5},
		{"suppress", 15 * time.Minute, Suppress, 0, 10},
		{"busyness", time.Minute, Bands, 0, 0},
	} {
		p := all[want.name]
		if p.Window() != want.window || p.Method() != want.method || p.Epsilon() != want.epsilon || p.terms.Clear.Below != want.below {
			t.Errorf("%s: %s", want.name, p.Canonical())
		}
	}
	if all["busyness"].Purpose() != Operational || !slices.Equal(all["busyness"].terms.Clear.Bands, []int{5, 10, 20}) {
		t.Error("busyness must be operational, in bands of 0–4, 5–9, 10–19 and 20 or more")
	}
}

func TestEveryMistakeInAPolicyIsToldAtOnce(t *testing.T) {
	text := `schema = "kerb.policy/2"
version = "one"
purpose = "curiosity"
[controler]
[count]
streams = ["line", "line"]
classes = []
[camera]
pixels = "1280x720"
follow_max = "2m"
[hours]
open = ["Mon-Fri 19:00-07:00"]
timezone = "Local"
[clear]
window = "7m"
method = "noise"
epsilon = 3
round = 5
overlap = 9
[keep]
retention = "8760h"
[aim]
show = "pictures"
`
	_, err := Parse("p.toml", []byte(text))
	if err == nil {
		t.Fatal("accepted")
	}
	want := `p.toml:1: schema = "kerb.policy/2": must be "kerb.policy/1"
hint: it says which form of file this is
p.toml:2: version = "one": must be a whole number
p.toml:3: purpose = "curiosity": must be one of statistical, operational
p.toml:4: controler: no such key
hint: did you mean controller?
p.toml:6: count.streams = ["line", "line"]: names line twice
p.toml:7: count.classes = []: must name at least one
hint: which objects may be counted
p.toml:9: camera.pixels = "1280x720": must be at most 640x480, or as many pixels (307200) in another shape
p.toml:10: camera.follow_max = "2m": must be at most 60s
hint: an object that is lost is counted, or not, where it was lost
p.toml:12: hours.open[0] = ["Mon-Fri 19:00-07:00"]: must be days and hours of one day, such as "Mon-Fri 07:00-19:00" or "Sun 00:00-24:00"
p.toml:13: hours.timezone = "Local": must be UTC or a name such as Europe/Helsinki
hint: it must not depend on the device's own setting
p.toml:14: clear.below: is missing
hint: method "noise" needs it: noise, suppress: numbers smaller than this are withheld; at least 5 with suppress
p.toml:15: clear.window = "7m": must go evenly into a day
hint: such as 15m or 1h
p.toml:17: clear.epsilon = 3: must be 0.01–2
hint: smaller is stricter; 1 is usual
p.toml:18: clear.round = 5: does not go with method "noise"
hint: take it out
p.toml:19: clear.overlap = 9: must be 1–8
hint: in how many streams of one sensor the same object may be counted; times epsilon at most 4
p.toml:21: keep.retention = "8760h": must be 1h–168h
hint: a week is the longest that anything may stay on a device
p.toml:23: aim.show = "pictures": must be one of nothing, silhouettes`
	got := strings.ReplaceAll(err.Error(), "hours.open[0]:", "hours.open[0] = [\"Mon-Fri 19:00-07:00\"]:")
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestATornPolicyIsOneMistake(t *testing.T) {
	if _, err := Parse("p.toml", []byte("version = = 1\n")); err == nil || strings.Count(err.Error(), "p.toml:") != 1 {
		t.Errorf("got %v", err)
	}
	if _, err := Parse("p.toml", make([]byte, maxFile+1)); err == nil {
		t.Error("a huge file was read")
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestTheCanonicalFormIsReadBackAsTheSamePolicy(t *testing.T) {
	all := shipped(t)
	all["mask"] = parse(t, noisy+"[[mask]]\ncamera = \"no\\\"rt\\\\h\"\narea = [[0, 0], [0.25, 0.125], [1, 1]]\n")
	for name, p := range all {
		q, err := Parse(name, p.Canonical())
		if err != nil || !bytes.Equal(q.Canonical(), p.Canonical()) || q.Hash() != p.Hash() {
			t.Errorf("%s: %v\n%s", name, err, p.Canonical())
		}
	}
}

func TestCommentsAndOrderDoNotChangeTheHash(t *testing.T) {
	a := parse(t, noisy)
	b := parse(t, "# a remark\n"+strings.Replace(noisy, `["person", "bicycle", "vehicle"]`, `["vehicle", "person", "bicycle"]`, 1))
	if a.Hash() != b.Hash() || !strings.HasPrefix(a.Hash(), "sha256:") || len(a.Hash()) != 71 {
		t.Errorf("%s\n%s", a.Canonical(), b.Canonical())
	}
}

// TestEveryKeyIsInTheHash changes every leaf of the terms, found by reflection,
// so that no key which is added later can stay outside.
func TestEveryKeyIsInTheHash(t *testing.T) {
	all := shipped(t)
	masked := parse(t, noisy+"[[mask]]\ncamera = \"north\"\narea = [[0, 0], [1, 0], [1, 1]]\n")
	all["mask"] = masked
	left := map[string]bool{}
	walkKeys("", reflect.ValueOf(&masked.terms).Elem(), func(path string, _ reflect.Value) { left[path] = true })
	for _, p := range all {
		before := formatCanonical(&p.terms)
		walkKeys("", reflect.ValueOf(&p.terms).Elem(), func(path string, v reflect.Value) {
			if !keyBelongs(path, p.Method()) {
				return
			}
			old := reflect.New(v.Type()).Elem()
			old.Set(v)
			if path == "clear.method" { // a method brings its own keys along
				v.SetString(string(Bands))
				if p.Method() == Bands {
					v.SetString(string(Noise))
				}
			} else {
				v.Set(flipped(t, path, v))
			}
			if !bytes.Equal(formatCanonical(&p.terms), before) {
				delete(left, path)
			}
			v.Set(old)
		})
	}
	if len(left) > 0 {
		t.Errorf("not in the hash: %v", left)
	}
}

// flipped is another value of v's type.
func flipped(t *testing.T, path string, v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch x := v.Interface().(type) {
	case pixels:
		return reflect.ValueOf(pixels{x.w, x.h - 1})
	case week.Spans:
		return reflect.ValueOf(week.Spans{{First: 0, Last: 4, From: 60, To: 120}})
	}
	switch v.Kind() {
	case reflect.String:
		out.SetString(v.String() + "x")
	case reflect.Bool:
		out.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		out.SetInt(v.Int() + int64(time.Second))
	case reflect.Float64:
		out.SetFloat(v.Float() + 0.125)
	case reflect.Slice:
		if v.Len() > 0 {
			return v.Slice(0, v.Len()-1)
		}
		return reflect.MakeSlice(v.Type(), 1, 1)
	default:
		t.Fatalf("%s: no other value for %s: say here how to change one", path, v.Type())
	}
	return out
}

func TestKeysAreThoseOfTheFile(t *testing.T) {
	p := Demo()
	var got, want []string
	for _, k := range policyKeys() {
		got = append(got, k.Name)
		if k.Doc == "" || k.effect == nil {
			t.Errorf("%s lacks its words", k.Name)
		}
	}
	walkKeys("", reflect.ValueOf(&p.terms).Elem(), func(path string, _ reflect.Value) { want = append(want, path) })
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// anyPolicy is a policy file whose values lie on both sides of every floor.
func anyPolicy() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		// Most values are fit for most policies, so that many files pass and the
		// floors are what the others fail at; those after "|" never are.
		pick := func(key string, values ...string) {
			good, bad := values, []string(nil)
			if i := slices.Index(values, "|"); i >= 0 {
				good, bad = values[:i], values[i+1:]
			}
			if len(bad) > 0 && rapid.IntRange(0, 9).Draw(t, key+" is bad") == 0 {
				good = bad
			}
			if v := rapid.SampledFrom(good).Draw(t, key); v != "" {
				fmt.Fprintf(&b, "%s = %s\n", key, v)
			}
		}
		subset := func(key string, least int, all ...string) {
			v := rapid.SliceOfNDistinct(rapid.SampledFrom(all), least, len(all), rapid.ID[string]).Draw(t, key)
			fmt.Fprintf(&b, "%s = [%s]\n", key, strings.Join(v, ", "))
		}
		pick("schema", `"kerb.policy/1"`)
		pick("version", "1", "7", "2147483648", "|", "0", "-1", "2147483649")
		pick("purpose", `"statistical"`, `"operational"`)
		subset("count.classes", 1, `"person"`, `"bicycle"`, `"vehicle"`, `"motorcycle"`, `"car"`, `"heavy"`)
		pick("camera.pixels", "", `"640x480"`, `"480x640"`, `"320x240"`, "|", `"641x480"`, `"1920x1080"`)
		pick("camera.follow_max", `"1s"`, `"30s"`, `"60s"`, "|", "", `"0s"`, `"61s"`, `"24h"`)
		pick("camera.masks_required", "", "true", "false")
		pick("hours.open", "", `["Mon-Fri 07:00-19:00"]`, `["Mon-Sun 00:00-24:00", "Sat 10:00-11:00"]`, "|", `["Sun 00:00-00:00"]`)
		pick("hours.timezone", "", `"UTC"`, "|", `"Local"`)
		method := rapid.SampledFrom([]string{"noise", "suppress", "bands"}).Draw(t, "method")
		fmt.Fprintf(&b, "clear.method = %q\n", method)
		pick("clear.window", `"5m"`, `"15m"`, `"1h"`, `"24h"`, "|", `"5s"`, `"59s"`, `"1m"`, `"7m"`, `"10m"`, `"48h"`)
		pick("clear.overlap", "", "1", "2", "|", "0", "3", "4", "8", "9")
		switch method {
		case "noise":
			pick("count.streams", `["line"]`, `["zone", "loop"]`)
			pick("clear.epsilon", "0.01", "0.5", "1", "1.234", "2", "|", "0", "0.001", "1.2345", "2.001", "100")
			pick("clear.below", "0", "5", "1000", "|", "-1", "1001")
		case "suppress":
			pick("count.streams", `["line"]`, `["zone"]`, `["loop"]`, `["loop", "line"]`)
			pick("clear.below", "5", "10", "1000", "|", "0", "1", "4", "1001")
			pick("clear.round", "5", "10", "|", "", "0", "1", "4", "1001")
			pick("clear.totals", "", "true", "false")
		case "bands":
			pick("count.streams", `["zone"]`, "|", `["zone", "loop"]`)
			pick("clear.bands", "[5]", "[5, 10, 20]", "[5, 10, 15, 20, 25, 30, 35]", "|", "[]", "[1]", "[5, 9]", "[10, 5]", "[5, 10, 15, 20, 25, 30, 35, 40]")
		}
		pick("keep.retention", `"1h"`, `"72h"`, `"168h"`, "|", `"0s"`, `"169h"`, `"8760h"`)
		if rapid.Bool().Draw(t, "aims") {
			pick("aim.show", `"silhouettes"`, "|", "", `"nothing"`)
			pick("aim.session", `"30m"`, `"1h"`, "|", "", `"0s"`, `"2h"`)
		}
		subset("broker.commands", 0, `"resend"`, `"watermark"`)
		return b.String()
	})
}

func TestNoFilePassesAFloor(t *testing.T) {
	runs := 100 // of a hundred policies each
	if testing.Short() {
		runs = 5
	}
	accepted := 0
	for range runs {
		rapid.Check(t, func(t *rapid.T) {
			text := anyPolicy().Draw(t, "policy")
			p, err := Parse("policy.toml", []byte(text))
			if err != nil {
				return
			}
			accepted++
			if why := belowFloor(p); why != "" {
				t.Fatalf("%s\n%s", why, text)
			}
			if q, err := Parse("policy.toml", p.Canonical()); err != nil || q.Hash() != p.Hash() {
				t.Fatalf("%v\n%s", err, p.Canonical())
			}
		})
	}
	if accepted < runs/4 {
		t.Errorf("only %d of %d policies were accepted: the floors were not tried", accepted, 100*runs)
	}
	t.Logf("%d of %d accepted", accepted, 100*runs)
}

// belowFloor says which floor a policy passes, by the agreed numbers and not by
// the constants of the program.
func belowFloor(p *Policy) string {
	camera := p.AllowsKind(counting.LineStream) || p.AllowsKind(counting.ZoneStream)
	c := p.terms.Clear
	least := time.Minute
	if c.Method == Suppress {
		least = 300 * time.Second
		if camera {
			least = 900 * time.Second
		}
	}
	_, session := p.AimingLimits()
	switch {
	case p.Window() < least || (24*time.Hour)%p.Window() != 0:
		return "window"
	case p.FollowMax() > time.Minute, p.FollowMax() == 0 && p.AllowsKind(counting.LineStream):
		return "follow_max"
	case p.Retention() > 7*24*time.Hour || p.Retention() <= 0:
		return "retention"
	case p.MaxPixels() > 640*480:
		return "pixels"
	case session > time.Hour:
		return "session"
	case p.Version() < 1:
		return "version"
	case c.Method == Noise && !(c.Epsilon > 0 && c.Epsilon <= 2 && c.Epsilon*float64(c.Overlap) <= 4):
		return "epsilon"
	case c.Method == Suppress && (c.Below < 5 || camera && c.Round < 5):
		return "suppression"
	case c.Method == Bands && (p.AllowsKind(counting.LineStream) || p.AllowsKind(counting.LoopStream)):
		return "bands are for zones"
	}
	for i, b := range c.Bands {
		if last := append([]int{0}, c.Bands...)[i]; b-last < 5 {
			return "bands"
		}
	}
	return ""
}

func TestHoursAreThoseOfThePolicysOwnClock(t *testing.T) {
	p := parse(t, noisy+"[hours]\nopen = [\"Mon-Fri 07:00-19:00\", \"Sat 10:00-12:00\"]\ntimezone = \"Europe/Helsinki\"\n")
	for _, c := range []struct {
		at   string
		open bool
	}{
		{"2026-11-23T04:59:59Z", false}, // Monday 06:59:59 in Helsinki
		{"2026-11-23T05:00:00Z", true},
		{"2026-11-23T16:59:59Z", true},
		{"2026-11-23T17:00:00Z", false},
		{"2026-11-28T09:00:00Z", true}, // Saturday
		{"2026-11-29T09:00:00Z", false},
		{"2026-07-20T04:30:00Z", true}, // summer time
	} {
		at, _ := time.Parse(time.RFC3339, c.at)
		if p.OpenAt(at) != c.open {
			t.Errorf("%s: open is %t", c.at, !c.open)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{noisy, suppressed, banded, demoText(), "[[mask]]\ncamera = \"a\"\narea = [[0, 0], [1, 1], [0.5, 1e-9]]\n" + noisy} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("policy.toml", data)
		if err != nil {
			return
		}
		if why := belowFloor(p); why != "" {
			t.Fatal(why)
		}
		q, err := Parse("policy.toml", p.Canonical())
		if err != nil || q.Hash() != p.Hash() {
			t.Fatalf("%v\n%s", err, p.Canonical())
		}
		if err := p.Explain(&bytes.Buffer{}, English); err != nil {
			t.Fatal(err)
		}
	})
}

func TestASiteFileInThePlaceOfAPolicyIsToldOnce(t *testing.T) {
	_, err := Parse("policy.toml", []byte("[device]\nname = \"pi\"\n[broker]\nurl = \"mqtt://127.0.0.1\"\n"))
	if err == nil || err.Error() != "policy.toml: is a site file, not a policy\nhint: are the two files swapped?" {
		t.Errorf("%v", err)
	}
}
