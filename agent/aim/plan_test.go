package aim

import (
	"bytes"
	"image/color"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kerb/agent/aim/record"
	"kerb/counting"
)

func FuzzPlan(f *testing.F) {
	f.Add([]byte(`{"lines":[{"id":"a","from":[0,0],"to":[1,1]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parsePlan(text)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := record.NewWriter(&b).WriteRecord(p.toLayout(1)); err != nil {
			t.Fatal(err)
		}
		if _, err := record.ReadLayout(&b); err != nil {
			t.Errorf("a plan makes a layout that is refused: %v", err)
		}
	})
}

// A word that is missing in one language would be shown as its key, and a place that is
// missing in a sentence would leave its number out.
func TestEveryLanguageHasAllWords(t *testing.T) {
	all, place := loadWords(), regexp.MustCompile(`\{\w\}`)
	places := func(s string) []string {
		found := place.FindAllString(s, -1)
		slices.Sort(found)
		return found
	}
	if len(all) != len(listLanguages()) || len(all["en"]) < 170 {
		t.Errorf("%d languages, %d words", len(all), len(all["en"]))
	}
	for _, l := range listLanguages() {
		for key, english := range all["en"] {
			if word := all[l.Code][key]; word == "" || !slices.Equal(places(word), places(english)) {
				t.Errorf("%s of %s: %q for %q", key, l.Name, word, english)
			}
		}
		if len(all[l.Code]) != len(all["en"]) {
			t.Errorf("%s has %d words, English %d", l.Name, len(all[l.Code]), len(all["en"]))
		}
	}
	for f := counting.ViewGood + 1; f < counting.ViewFaults; f++ {
		name := f.ShortWord()
		if all["en"]["fault_"+name] == "" {
			t.Errorf("no words for a view that is %s", name)
		}
	}
	style, err := pages.ReadFile("page/style.css")
	if err != nil {
		t.Fatal(err)
	}
	black, _, _ := color.RGBToYCbCr(0, 0, 0)
	for _, c := range counting.AllClasses() {
		if all["en"][c.String()] == "" {
			t.Errorf("no word for the class %s", c)
		}
		if !strings.Contains(string(style), "--"+c.String()+":") {
			t.Errorf("style.css has no colour for the class %s", c)
		}
		if cellColour(counting.CellClass+uint8(c)).Y == black {
			t.Errorf("silhouettes of the class %s are black", c)
		}
	}
	for _, key := range usedWords(t) {
		if all["en"][key] == "" {
			t.Errorf("the page uses a word that is not there: %s", key)
		}
	}
}

// usedWords returns the keys of the words that the page's templates and modules name.
func usedWords(t *testing.T) (keys []string) {
	t.Helper()
	files, err := pages.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\.Words\.(\w+)|\bt\('(\w+[^_'])'[,)]`)
	for _, f := range files {
		text, err := pages.ReadFile("page/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			keys = append(keys, m[1]+m[2])
		}
	}
	if len(keys) < 100 {
		t.Fatalf("only %d keys found", len(keys))
	}
	return keys
}

func TestAdvice(t *testing.T) {
	line := func(y float64, classes ...string) Line {
		return Line{ID: "l", From: Point{0.2, y}, To: Point{0.8, y}, Classes: classes}
	}
	good := counting.View{Horizon: -0.3, ScaleSlope: 80, ScaleMeasured: true, LooksPerSecond: 10, Mean: 120, Noise: 1}
	for what, c := range map[string]struct {
		view counting.View
		line Line
		want string
	}{
		"all well":        {good, line(0.6, "person"), "enough"},
		"people too far":  {changedView(good, func(v *counting.View) { v.ScaleSlope = 40 }), line(0.3, "person"), "people"},
		"cars are larger": {good, line(0.3, "vehicle"), "enough"},
		"cars too far":    {changedView(good, func(v *counting.View) { v.ScaleSlope = 18 }), line(0.3, "vehicle"), "cars"},
		"at the edge":     {good, line(0.97, "vehicle"), "edge"},
		"slow":            {changedView(good, func(v *counting.View) { v.LooksPerSecond = 5 }), line(0.6, "person"), "looks"},
		"backlight":       {changedView(good, func(v *counting.View) { v.Bright, v.Dark = 20, 40 }), line(0.6, "person"), "backlight"},
		"night":           {changedView(good, func(v *counting.View) { v.Mean = 30 }), line(0.6, "person"), "dark"},
		"flat":            {changedView(good, func(v *counting.View) { v.Horizon = 0.3 }), line(0.9, "vehicle"), "flat"},
		"no scale":        {changedView(good, func(v *counting.View) { v.ScaleMeasured = false }), line(0.6, "person"), "scale"},
	} {
		s := &counting.Sketch{Width: 240, Height: 135, View: c.view}
		found := false
		for _, a := range advisePlan(Plan{Lines: []Line{c.line}}, s) {
			found = found || a.Key == c.want
		}
		if !found {
			t.Errorf("%s: %v", what, advisePlan(Plan{Lines: []Line{c.line}}, s))
		}
	}
}

func changedView(v counting.View, change func(*counting.View)) counting.View {
	change(&v)
	return v
}
