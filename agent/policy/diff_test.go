package policy

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestEveryKeyIsComparedBothWays changes each key so that it becomes looser,
// and back. A key that is missing here fails the test.
func TestEveryKeyIsComparedBothWays(t *testing.T) {
	area := "[[mask]]\ncamera = \"north\"\narea = [[0, 0], [1, 0], [1, 1]]\n"
	masks := noisy + "aim = {show = \"nothing\", session = \"0s\"}\nbroker.commands = [\"resend\"]\nhours.open = [\"Mon-Fri 07:00-19:00\"]\ntitle = \"T\"\n" +
		"controller = {name = \"N\", contact = \"C\"}\n" + area
	masks = strings.Replace(masks, `follow_max = "30s"`, "follow_max = \"30s\"\ncamera.masks_required = true\ncamera.pixels = \"320x240\"\nhours.timezone = \"UTC\"", 1)
	showing := strings.Replace(masks, `{show = "nothing", session = "0s"}`, `{show = "silhouettes", session = "10m"}`, 1)
	plain := strings.Replace(suppressed, "totals = true", "totals = false", 1)
	pairs := map[string][3]string{ // text, a part of it, the looser part
		"purpose":               {masks, `"statistical"`, `"operational"`},
		"count.streams":         {strings.Replace(masks, `"line", "zone", "loop"`, `"line"`, 1), `"line"`, `"line", "zone"`},
		"count.classes":         {masks, `"bicycle", "vehicle"`, `"bicycle", "vehicle", "car"`},
		"count.quantities":      {"count.quantities = [\"speed\"]\n" + masks, `["speed"]`, `["speed", "gaps"]`},
		"camera.pixels":         {masks, "320x240", "640x480"},
		"camera.follow_max":     {masks, `follow_max = "30s"`, `follow_max = "40s"`},
		"camera.masks_required": {masks, "masks_required = true", "masks_required = false"},
		"mask":                  {masks, area, ""},
		"hours.open":            {masks, "07:00-19:00", "06:00-19:00"},
		"hours.timezone":        {masks, `"UTC"`, `"Europe/Helsinki"`},
		"clear.window":          {masks, `"15m"`, `"5m"`},
		"clear.epsilon":         {masks, "epsilon = 1", "epsilon = 1.5"},
		"clear.below":           {masks, "below = 5", "below = 0"},
		"clear.round":           {suppressed, "round = 10", "round = 5"},
		"clear.totals":          {plain, "totals = false", "totals = true"},
		"clear.bands":           {banded, "[5, 10, 20]", "[5, 10, 15, 20]"},
		"clear.overlap":         {masks, "overlap = 2", "overlap = 3"},
		"keep.retention":        {masks, `"72h"`, `"168h"`},
		"aim.show":              {masks, `{show = "nothing", session = "0s"}`, `{show = "silhouettes", session = "10m"}`},
		"aim.session":           {showing, `"10m"`, `"20m"`},
		"status.page":           {"status.page = false\n" + masks, "page = false", "page = true"},
		"broker.commands":       {masks, `["resend"]`, `["resend", "watermark"]`},
	}
	incomparable := []string{"hours.timezone"}
	same := map[string][3]string{
		"version":            {masks, "version = 3", "version = 4"},
		"title":              {masks, `"T"`, `"U"`},
		"alert":              {alerted, "clear = 10", "clear = 5"},
		"controller.name":    {masks, `"N"`, `"M"`},
		"controller.contact": {masks, `"C"`, `"D"`},
	}
	way := func(key string, old, new *Policy) Effect {
		for _, c := range Diff(old, new) {
			if c.Key == key {
				return c.Effect
			}
		}
		t.Errorf("%s is not in the difference", key)
		return 99
	}
	for _, k := range policyKeys() {
		if c, ok := same[k.Name]; ok {
			if a, b := parse(t, c[0]), changed(t, c[0], c[1], c[2]); way(k.Name, a, b) != Neutral || len(LooserChanges(a, b)) > 0 {
				t.Errorf("%s: %v", k.Name, Diff(a, b))
			}
			continue
		}
		c, ok := pairs[k.Name]
		if !ok {
			if k.Name != "schema" && k.Name != "clear.method" {
				t.Errorf("%s: nothing says here what is looser", k.Name)
			}
			continue
		}
		a, b := parse(t, c[0]), changed(t, c[0], c[1], c[2])
		if got := way(k.Name, a, b); got != Looser {
			t.Errorf("%s: %s", k.Name, got)
		}
		back := Stricter
		if slices.Contains(incomparable, k.Name) {
			back = Looser
		}
		if got := way(k.Name, b, a); got != back {
			t.Errorf("%s, back: %s", k.Name, got)
		}
		if lines := LooserChanges(a, b); !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, k.Name+" ") }) {
			t.Errorf("%s is not in %v", k.Name, lines)
		}
		if len(LooserChanges(a, a)) > 0 || len(Diff(b, b)) > 0 {
			t.Errorf("%s: a policy differs from itself", k.Name)
		}
	}
}

func TestAnotherMethodIsNeverStricter(t *testing.T) {
	n, s := parse(t, noisy), parse(t, suppressed)
	for _, c := range []struct{ old, new *Policy }{{n, s}, {s, n}} {
		if l := LooserChanges(c.old, c.new); len(l) == 0 || !strings.HasPrefix(l[0], "clear.method ") {
			t.Errorf("%v", l)
		}
	}
}

func TestHoursAreComparedByTheMinute(t *testing.T) {
	with := func(hours string) *Policy {
		return parse(t, strings.Replace(noisy, `"15m"`, `"1m"`, 1)+"hours.open = ["+hours+"]\n")
	}
	for _, c := range []struct {
		old, new string
		looser   bool
	}{
		{`"Mon-Fri 07:00-19:00"`, `"Mon-Thu 07:00-19:00", "Fri 07:00-18:59"`, false},
		{`"Mon-Fri 07:00-19:00"`, `"Mon-Tue 07:00-19:00", "Wed-Fri 07:00-19:00"`, false},
		{`"Mon-Fri 07:00-19:00"`, `"Mon-Fri 07:00-19:01"`, true},
		{`"Mon-Sun 00:00-24:00"`, `"Sun 23:59-24:00"`, false},
		{`"Sun 23:59-24:00"`, `"Mon 00:00-00:01"`, true},
	} {
		if got := len(LooserChanges(with(c.old), with(c.new))) > 0; got != c.looser {
			t.Errorf("%s to %s: looser is %t", c.old, c.new, got)
		}
	}
	helsinki := parse(t, noisy+"hours.timezone = \"Europe/Helsinki\"\n")
	if l := LooserChanges(parse(t, noisy), helsinki); len(l) > 0 {
		t.Errorf("all hours are all hours anywhere: %v", l)
	}
}

func TestADifferenceIsExplainedLooserFirst(t *testing.T) {
	a, b := parse(t, noisy), changed(t, noisy, "version = 3", "version = 4", "epsilon = 1", "epsilon = 2", "72h", "24h")
	want := "LOOSER\n  clear.epsilon: 1 → 2\nSTRICTER\n  keep.retention: \"72h\" → \"24h\"\nCHANGED\n  version: 3 → 4\n"
	var out bytes.Buffer
	if err := ExplainDiff(&out, a, b, English); err != nil || out.String() != want {
		t.Errorf("%v\n%s", err, out.String())
	}
	out.Reset()
	if err := ExplainDiff(&out, a, a, Finnish); err != nil || !strings.HasPrefix(out.String(), "Molemmat") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
