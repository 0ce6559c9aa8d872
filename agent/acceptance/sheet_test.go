package acceptance

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"kerb/agent/config"
	"kerb/agent/uplink"
)

const site = `version = 1
[device]
name = "pole-7"
site = "high-street"
tenant = "camden"
place = { description = "lamp <7>" }
[broker]
url = "mqtt://127.0.0.1:1"
[[camera]]
name = "north"
source = "rtsp://cam/1"
[[camera.mask]]
polygon = [[0, 0], [0.2, 0], [0.2, 0.2]]
[[camera.line]]
id = "path"
from = [0, 0.5]
to = [1, 0.5]
[[camera.line]]
id = "gate"
from = [0.5, 0]
to = [0.5, 1]
[[camera.zone]]
id = "plaza"
polygon = [[0, 0], [1, 0], [1, 1]]
classes = ["person"]
`

// The sheet shows each line with its arrow, each tally with its interval by light, and
// the lines that were not compared. It needs no other file, and has no picture.
func TestTheSheetTellsLinesAndTallies(t *testing.T) {
	parsed, err := config.Parse("site.toml", []byte(site))
	if err != nil {
		t.Fatal(err)
	}
	s := Sheet{
		Site: parsed, Policy: "sha256:0f", Version: "1", Printed: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC),
		Results: []uplink.Acceptance{
			{Stream: "path", Day: "2026-11-30", Light: "day", Minutes: 15, Passages: 40, Error: 0.04, Low: -0.12, High: 0.19, GEH: 2, Verdict: "good"},
			{Stream: "path", Light: "dark", Minutes: 20, Passages: 20, Error: -0.3, Low: -0.5, High: -0.12, GEH: 11, Verdict: "poor"},
			{Stream: "gone", Minutes: 15, Passages: 90, Verdict: "good"},
		},
	}
	var b strings.Builder
	if err := s.Write(&b, "en"); err != nil {
		t.Fatal(err)
	}
	text := html.UnescapeString(b.String())
	for _, want := range []string{
		"camden/high-street/pole-7", "lamp <7>", "sha256:0f", "+4 %", "−12 % … +19 %", "≥ 40", "2026-11-30 12:00Z", "dark", "−30 %", "poor", "not compared by hand",
		`class="mask"`, `class="zone"`, ">plaza</text>",
		`<path class="line" d="M0 180L640 180"/>`,
		`M320 162L320 198M`, // from a, above a line that is drawn from left to right, to b below it
		`M338 180L302 180M`, // of a line drawn downwards, b is on the left
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not on the sheet: %s", want)
		}
	}
	for _, bad := range []string{"<img", "<image", "src=", "url(", "<script", "href=", "gone", "data:"} {
		if strings.Contains(text, bad) {
			t.Errorf("the sheet has %s", bad)
		}
	}
	b.Reset()
	if err := s.Write(&b, "de"); err != nil || !strings.Contains(b.String(), "Abnahmeblatt") || !strings.Contains(b.String(), "nicht von Hand verglichen") {
		t.Errorf("in German: %v", err)
	}
}

func TestEveryLanguageHasEveryTextOfTheSheet(t *testing.T) {
	book, err := loadBook()
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range book.Check() {
		t.Error(fault)
	}
	page, err := files.ReadFile("sheet.html")
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{"day", "dark", "good", "poor", "open", "person", "bicycle", "vehicle", "motorcycle", "car", "heavy"}
	for _, m := range regexp.MustCompile(`\.T "([^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		texts = append(texts, m[1])
	}
	for _, lang := range book.Languages() {
		for _, text := range texts {
			if book[lang][text] == "" {
				t.Errorf("%s lacks %q", lang, text)
			}
		}
	}
}
