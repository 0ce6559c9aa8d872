package policy

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"kerb/counting"
)

func explained(t testing.TB, p *Policy, l Language) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Explain(&b, l); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAnExplanationIsAPageOfPlainLines(t *testing.T) {
	all := shipped(t)
	all["demo"] = Demo()
	for name, p := range all {
		for _, l := range []Language{English, Finnish} {
			text := explained(t, p, l)
			lines := strings.Split(text, "\n")
			for _, line := range lines {
				if n := utf8.RuneCountInString(line); n > 78 || strings.TrimRight(line, " ") != line {
					t.Errorf("%s, %s: %d characters: %q", name, l, n, line)
				}
			}
			if len(lines) > 100 { // two sides of a sheet
				t.Errorf("%s, %s: %d lines are too many", name, l, len(lines))
			}
			for _, no := range []string{"nonym", "<no value>", "%!", "\n\n\n", "  .", "NaN", "-0"} {
				if strings.Contains(text, no) {
					t.Errorf("%s, %s: %q in\n%s", name, l, no, text)
				}
			}
			if !strings.Contains(text, p.Hash()) {
				t.Errorf("%s, %s: which policy it is cannot be told", name, l)
			}
		}
	}
}

func TestAnExplanationSaysWhatIsInForce(t *testing.T) {
	for _, c := range []struct {
		policy string
		want   []string
	}{
		{"standard", []string{
			"Every 15 minutes", "ε = 1.", "from 39 to 43 in nine windows of ten", "`below 5` in 90.1 % of the windows",
			"longer than 30 seconds", "at most 73 % sure", "ε = 2: at most 88 %", "resend and watermark", "at most 3 days", "protected per passage",
			"for at most 30 minutes at a time",
		}},
		{"strict", []string{"Every hour", "ε = 0.5", "at most 62 % sure", "No camera can be used without masks over at least 0.5 % of its picture", "cannot command anything", "320x240", "shows nothing of the picture"}},
		{"traffic", []string{"Every 5 minutes", "one record for each loop", "a true 41 leaves as 41, a true 3 as `below 5`", "No noise is added"}},
		{"suppress", []string{"`below 10`", "nearest 10", "both directions together", "a true 41 leaves as 40"}},
		{"busyness", []string{"Every minute", "0–4, 5–9, 10–19 and 20 or more", "leave as `5–9`", "signatures of 2 keys", "Nobody can be followed at all"}},
	} {
		text := strings.Join(strings.Fields(explained(t, shipped(t)[c.policy], English)), " ")
		for _, want := range c.want {
			if !strings.Contains(text, strings.ReplaceAll(want, "`", `"`)) {
				t.Errorf("%s does not say %q:\n%s", c.policy, want, text)
			}
		}
	}
}

// The range of the example is that of the numbers which the policy gives, for any
// threshold and noise, or the text says how often there is none.
func TestTheExampleHoldsForRandomPolicies(t *testing.T) {
	seeds := rand.New(rand.NewPCG(22, 1))
	number := regexp.MustCompile(`a true 41 leaves as a number from (-?\d+) to (-?\d+) in nine windows of ten`)
	hidden := regexp.MustCompile(`a true 41 leaves as "below (\d+)" in (?:about )?[<>]?([\d.]+) % of the windows`)
	ranges, withheld := 0, 0
	for range 500 {
		below, epsilon := seeds.IntN(100), float64(1+seeds.IntN(40))/20
		p := parse(t, strings.NewReplacer("epsilon = 1", fmt.Sprintf("epsilon = %g", epsilon), "below = 5", fmt.Sprintf("below = %d", below)).Replace(noisy))
		text := strings.Join(strings.Fields(explained(t, p, English)), " ")
		within := 0.0
		const draws = 400
		count := func(holds func(cell) bool) (n int) {
			w := clearer{rule: p.newRule(), kind: counting.LineStream, noise: newSampler(), parts: 1}
			for range draws {
				if holds(w.clearLine(counting.Person, counting.BothWays, [counting.Directions]uint32{41, 0})[0]) {
					n++
				}
			}
			return n
		}
		if m := number.FindStringSubmatch(text); m != nil {
			low, _ := strconv.Atoi(m[1])
			high, _ := strconv.Atoi(m[2])
			within = float64(count(func(c cell) bool { return !c.ranged && c.a >= int64(low) && c.a <= int64(high) })) / draws
			if ranges++; within < 0.82 || low < below { // 0.9 less five standard deviations
				t.Errorf("ε %g, below %d: %q holds in %.2f", epsilon, below, m[0], within)
			}
		} else if m := hidden.FindStringSubmatch(text); m != nil {
			says, _ := strconv.ParseFloat(m[2], 64)
			is := float64(count(func(c cell) bool { return c.ranged })) / draws * 100
			if withheld++; math.Abs(is-says) > 13 || m[1] != strconv.Itoa(below) {
				t.Errorf("ε %g, below %d: %q, and it is %.1f", epsilon, below, m[0], is)
			}
		} else {
			t.Fatalf("ε %g, below %d: no example in %s", epsilon, below, text)
		}
	}
	if ranges < 50 || withheld < 50 {
		t.Errorf("%d ranges, %d withheld", ranges, withheld)
	}
}

func TestTitlesDoNotTurnTheTextAround(t *testing.T) {
	for _, r := range "\u202e\u2066\u200f\u2028\u00ad" {
		if _, err := Parse("policy.toml", []byte(noisy+"title = \"a"+string(r)+"b\"\n")); err == nil {
			t.Errorf("%U in a title", r)
		}
	}
	parse(t, noisy+"title = \"Töölö – a b\"\n") // the control
}

// TestNoSettingLeavesTheExplanationAsItWas: a key that the text does not depend
// on could make a sentence false.
func TestNoSettingLeavesTheExplanationAsItWas(t *testing.T) {
	weekdays := noisy + "hours = {open = [\"Mon-Fri 07:00-19:00\"], timezone = \"UTC\"}\naim = {show = \"silhouettes\", session = \"10m\"}\n"
	masked := noisy + "[[mask]]\ncamera = \"north\"\narea = [[0, 0], [1, 0], [1, 1]]\n"
	changes := map[string][3]string{
		"version":               {noisy, "version = 3", "version = 4"},
		"title":                 {"title = \"One\"\n" + noisy, "One", "Two"},
		"purpose":               {noisy, "statistical", "operational"},
		"controller.name":       {"controller.name = \"One\"\n" + noisy, "One", "Two"},
		"controller.contact":    {"controller.contact = \"One\"\n" + noisy, "One", "Two"},
		"count.streams":         {noisy, `"zone", "loop"`, `"loop"`},
		"count.classes":         {noisy, `"bicycle", `, ""},
		"count.quantities":      {"count.quantities = [\"speed\"]\n" + noisy, `"speed"`, `"speeds"`},
		"camera.pixels":         {"camera.pixels = \"640x480\"\n" + noisy, "640x480", "320x240"},
		"camera.follow_max":     {noisy, "30s", "31s"},
		"camera.masks_required": {"camera.masks_required = true\n" + noisy, "true", "false"},
		"mask":                  {masked, "north", "south"},
		"hours.open":            {weekdays, "07:00", "08:00"},
		"hours.timezone":        {weekdays, "UTC", "Europe/Helsinki"},
		"clear.window":          {noisy, "15m", "30m"},
		"clear.method":          {noisy, `"noise", epsilon = 1`, `"suppress", round = 5`},
		"clear.epsilon":         {noisy, "epsilon = 1", "epsilon = 1.1"},
		"clear.below":           {noisy, "below = 5", "below = 6"},
		"clear.round":           {suppressed, "round = 10", "round = 5"},
		"clear.totals":          {suppressed, "true", "false"},
		"clear.bands":           {banded, "[5, 10, 20]", "[5, 10, 25]"},
		"clear.overlap":         {noisy, "overlap = 2", "overlap = 1"},
		"alert":                 {alerted, "clear = 10", "clear = 5"},
		"keep.retention":        {noisy, "72h", "71h"},
		"aim.show":              {weekdays, `show = "silhouettes", session = "10m"`, `show = "nothing"`},
		"aim.session":           {weekdays, "10m", "11m"},
		"status.page":           {"status.page = true\n" + noisy, "page = true", "page = false"},
		"broker.commands":       {"broker.commands = [\"resend\"]\n" + noisy, `["resend"]`, "[]"},
	}
	changes["clear.method"] = [3]string{noisy, `method = "noise", epsilon = 1, below = 5, overlap = 2`, `method = "suppress", round = 5, below = 5, overlap = 2`}
	for _, k := range policyKeys() {
		c, ok := changes[k.Name]
		if !ok {
			if k.Name != "schema" {
				t.Errorf("%s: nothing says here how to change it", k.Name)
			}
			continue
		}
		for _, l := range []Language{English, Finnish} {
			a, b := parse(t, c[0]), changed(t, c[0], c[1], c[2])
			before := strings.ReplaceAll(explained(t, a, l), a.Hash(), "")
			after := strings.ReplaceAll(explained(t, b, l), b.Hash(), "")
			if before == after {
				t.Errorf("%s: the explanation (%s) does not know it", k.Name, l)
			}
		}
	}
}

func TestBothLanguagesHaveTheSameShape(t *testing.T) {
	for name, p := range shipped(t) {
		en, fi := explained(t, p, English), explained(t, p, Finnish)
		if a, b := strings.Count(en, "\n- "), strings.Count(fi, "\n- "); a != b {
			t.Errorf("%s: %d points in English, %d in Finnish", name, a, b)
		}
		if a, b := strings.Count(en, "\n\n"), strings.Count(fi, "\n\n"); a != b {
			t.Errorf("%s: %d sections in English, %d in Finnish", name, a, b)
		}
	}
	if _, err := ParseLanguage("sv"); err == nil {
		t.Error("a language that is not there was accepted")
	}
}

func TestPercentNeverRoundsToCertainty(t *testing.T) {
	for v, want := range map[float64]string{0: "0.0 %", 0.00001: "<0.1 %", 0.5: "50 %", 0.731: "73 %", 0.982: "98.2 %", 0.99995: ">99.9 %"} {
		if got := englishWords.formatPercent(v); got != want {
			t.Errorf("%g: %s, want %s", v, got, want)
		}
	}
	if got := finnishWords.formatPercent(0.982); got != "98,2 %" {
		t.Errorf("got %s", got)
	}
}
