package statuspage

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kerb/agent/advice"
	"kerb/agent/status"
)

// Every language has every text of the page, of the lamp, of the problems and of the advice, and
// as many gaps as the English one.
func TestEveryLanguageHasEveryText(t *testing.T) {
	book := loadBook()
	for _, fault := range book.Check() {
		t.Error(fault)
	}
	page, err := files.ReadFile("page/status.html")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, m := range regexp.MustCompile(`\.T "([^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		texts = append(texts, m[1])
	}
	for _, s := range status.LampSigns() {
		texts = append(texts, s.Seen, s.Meaning)
	}
	texts = append(texts, weekdays[:]...)
	texts = append(texts, advice.Texts()...)
	source, err := os.ReadFile(filepath.Join("..", "status", "problems.go"))
	if err != nil {
		t.Fatal(err)
	}
	problems := regexp.MustCompile(`s\.add\("?[a-z]+"?, ("[^"]*")?[^"]*(?:, "([^"]*)")?`).FindAllStringSubmatch(string(source), -1)
	if len(problems) < 15 {
		t.Fatalf("only %d problems were found in the source", len(problems))
	}
	for _, m := range problems {
		for _, text := range []string{strings.Trim(m[1], `"`), m[2]} {
			if text = strings.TrimSuffix(strings.TrimSuffix(text, " "), ":"); text != "" {
				texts = append(texts, strings.NewReplacer("%d", "{}", "%s", "{}").Replace(text))
			}
		}
	}
	for _, lang := range book.Languages() {
		w := book.Words(lang)
		for text, own := range book[lang] {
			if strings.Count(own, "{}") != strings.Count(text, "{}") {
				t.Errorf("%s: %q has other gaps than %q", lang, own, text)
			}
		}
		for _, text := range texts {
			if book[lang][text] == "" && w.T(text) == text && book[lang][text+" {}"] == "" {
				t.Errorf("%s lacks %q", lang, text)
			}
		}
	}
}

// Gaps of a text are filled with translated parts, and what no language knows stays.
func TestATextIsTranslatedInParts(t *testing.T) {
	w := loadBook().Words("fi")
	for text, want := range map[string]string{
		"LOST 4 min: camera refuses the user or the password":   "POISSA 4 min: kamera hylkää käyttäjän tai salasanan",
		"not connected: dial tcp 10.0.0.1:1883: i/o timeout":    "ei yhteyttä: dial tcp 10.0.0.1:1883: ei vastausta",
		"LOST 2 min: cam.example: no picture for 10s":           "POISSA 2 min: cam.example: ei kuvaa 10s aikana",
		"10.0 pictures/s, neural, 10 looks/s, view well":        "10.0 kuvaa/s, neuroverkko, 10 tunnistusta/s, näkymä: hyvä",
		"mqtts://broker:8883, connected 5 min, delivery proven": "mqtts://broker:8883, yhteys 5 min, perillemeno todistettu",
		"the view is spoilt: camera_moved":                      "näkymä on huono: kamera on liikkunut",
		"something else":                                        "something else",
	} {
		if got := w.T(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := w.T("Something is wrong: {}", 3); got != "Vikoja: 3" {
		t.Error(got)
	}
	if got := loadBook().Words("en").T("up {}", "3 h 12 min"); got != "up 3 h 12 min" {
		t.Error(got)
	}
}
