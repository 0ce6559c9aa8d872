package policy

import (
	"strings"
	"testing"
	"time"

	"kerb/counting"
)

// alerted is the banded policy with an alert.
var alerted = strings.Replace(banded, `"statistical"`, `"operational"`, 1) + alertText

const alertText = `
[[alert]]
stream = "plaza"
class = "person"
raise = 20
clear = 10
for = "2m"
`

func TestAnAlertIsReadAndExplained(t *testing.T) {
	p := parse(t, alerted)
	want := Alert{"plaza", counting.Person, 20, 10, 2 * time.Minute}
	if got := p.Alerts(); len(got) != 1 || got[0] != want {
		t.Fatalf("%+v", got)
	}
	if again := parse(t, string(p.Canonical())); again.Hash() != p.Hash() || again.Alerts()[0] != want {
		t.Error("the canonical form is another policy")
	}
	for l, want := range map[Language]string{
		English: "When plaza has given the band 20 or more of people for 2 minutes",
		Finnish: "Kun plaza on antanut välin 20 tai enemmän",
	} {
		if text := strings.Join(strings.Fields(explained(t, p, l)), " "); !strings.Contains(text, want) {
			t.Errorf("%s does not say %q:\n%s", l, want, text)
		}
	}
}

// TestAPolicyWithoutAlertsIsTheSameAsBefore: a signature of an older kerb stays valid.
func TestAPolicyWithoutAlertsIsTheSameAsBefore(t *testing.T) {
	for name, p := range shipped(t) {
		if strings.Contains(string(p.Canonical()), "alert") {
			t.Errorf("%s: the canonical form has a key that it did not have", name)
		}
	}
	if !strings.Contains(string(parse(t, alerted).Canonical()), "alert = [{stream = \"plaza\"") {
		t.Error("the canonical form lacks an alert")
	}
}

func TestAnAlertThatTheBandsCannotTellIsRefused(t *testing.T) {
	for what, c := range map[string][3]string{
		"a statistical purpose":   {`"operational"`, `"statistical"`, `alert: must go with purpose "operational"`},
		"another method":          {`"bands", bands = [5, 10, 20]`, `"noise", epsilon = 1, below = 0`, `alert: must go with method "bands"`},
		"no class":                {"class = \"person\"\nraise", "raise", "alert[0].class: is missing"},
		"a class not counted":     {`class = "person"`, `class = "heavy"`, "alert[0].class: must be one of count.classes"},
		"raise within a band":     {"raise = 20", "raise = 19", "alert[0].raise: must be a member of clear.bands"},
		"clear within a band":     {"clear = 10", "clear = 9", "alert[0].clear: must be a member of clear.bands"},
		"no hysteresis":           {"clear = 10", "clear = 20", "alert[0].clear: must be a member of clear.bands, smaller than raise"},
		"less than a window":      {`for = "2m"`, `for = "30s"`, "alert[0].for: must be a multiple of clear.window"},
		"a window and a half":     {`for = "2m"`, `for = "90s"`, "alert[0].for: must be a multiple of clear.window"},
		"a name that is none":     {`"plaza"`, `"Plaza/1"`, "alert[0].stream: must be the id of a zone"},
		"a key that is not there": {"clear = 10\nfor", "below = 10\nfor", "alert[0].below"},
	} {
		text := strings.Replace(alerted, c[0], c[1], 1)
		if text == alerted {
			t.Errorf("%s: nothing was changed", what)
		}
		_, err := Parse("policy.toml", []byte(text))
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), " = ", ": "), strings.SplitN(c[2], ": ", 2)[0]) || !strings.Contains(err.Error(), lastPart(c[2])) {
			t.Errorf("%s: %v, want %s", what, err, c[2])
		}
	}
	if _, err := Parse("policy.toml", []byte(alerted+alertText)); err == nil || !strings.Contains(err.Error(), "the only one of its stream and class") {
		t.Errorf("two alerts of one zone and class: %v", err)
	}
}

// lastPart returns what follows the key.
func lastPart(want string) string {
	if _, rest, ok := strings.Cut(want, ": "); ok {
		return rest
	}
	return want
}

func TestAnAlertNeedsItsZone(t *testing.T) {
	p := parse(t, alerted)
	site := func(kind counting.Kind, id string, class counting.Class) Site {
		return Site{At: "site.toml", Streams: []Stream{{Stream: counting.Stream{ID: id, Kind: kind, Sensor: "c", Classes: []counting.Class{class}}}}}
	}
	if c := p.CheckSite(site(counting.ZoneStream, "plaza", counting.Person)); len(c) > 0 {
		t.Errorf("its zone: %v", c)
	}
	for what, s := range map[string]Site{
		"no such zone":            site(counting.ZoneStream, "square", counting.Person),
		"a zone of another class": site(counting.ZoneStream, "plaza", counting.Vehicle),
	} {
		c := p.CheckSite(s)
		if len(c) != 1 || !strings.Contains(c[0].Error(), `no zone "plaza" that counts person`) {
			t.Errorf("%s: %v", what, c)
		}
	}
}
