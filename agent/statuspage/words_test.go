package statuspage

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kerb/agent/advice"
	"kerb/agent/status"
	"kerb/counting"
)

// Every language has every text of the page, of the lamp, of the problems, of the view and of the
// advice, with as many gaps and with the same names and numbers as the English one.
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
	for f := counting.ViewGood + 1; f.IsKnown(); f++ {
		texts = append(texts, f.String())
	}
	texts = append(texts, weekdays[:]...)
	texts = append(texts, advice.Texts()...)
	texts = append(texts, problemTexts(t)...)
	for _, lang := range book.Languages() {
		for _, fault := range findFaults(book[lang], texts) {
			t.Errorf("%s: %s", lang, fault)
		}
	}
}

// The control of findFaults: a text that is not there, half a text, a lost gap, and a name that was translated.
func TestATextThatALanguageLacksIsFound(t *testing.T) {
	words := map[string]string{
		"a": "x", "b": "y", "c {}": "z",
		"set clock_floor in site.toml": "clock_pohja tiedostoon site.toml",
		"kerb probe lists 2 of them":   "kerb probe luettelee 2",
	}
	if faults := findFaults(words, []string{"a", "a: b", "a: e", "d"}); len(faults) != 4 {
		t.Errorf("%q, want one each of the gap, of clock_floor, of a: e and of d", faults)
	}
}

// names matches what stays as it is in every language: file names, keys, commands, options, schemes and numbers.
var names = regexp.MustCompile(`\w+\.(?:toml|conf|md)\b|\b[a-z]+_[a-z]+\b|\bkerb [a-z]+\b|\s-[a-z]+\b|\b[a-z]+://|\d+(?:\.\d+)*`)

// verbs are the words that can follow kerb in a sentence, where it is no command.
var verbs = []string{"kerb does", "kerb has", "kerb tells"}

// findFaults tells which texts the words of a language lack, which have other gaps than the
// English text, and which lack a name or a number of it.
func findFaults(words map[string]string, texts []string) (faults []string) {
	for text, own := range words {
		if strings.Count(own, "{}") != strings.Count(text, "{}") {
			faults = append(faults, fmt.Sprintf("%q has other gaps than %q", own, text))
		}
	}
	for text, own := range words {
		if text == names.FindString(text) {
			continue // a word of the wire, which the page shows as a sentence
		}
		for _, name := range names.FindAllString(text, -1) {
			if !slices.Contains(verbs, name) && !strings.Contains(own, strings.TrimSpace(name)) {
				faults = append(faults, fmt.Sprintf("%q lacks %s of %q", own, name, text))
			}
		}
	}
	for _, text := range texts {
		if !hasText(words, text) {
			faults = append(faults, fmt.Sprintf("lacks %q", text))
		}
	}
	return faults
}

// hasText reports whether the words have the whole of a text, or each part of it between ": ".
func hasText(words map[string]string, text string) bool {
	if words[text] != "" || words[text+" {}"] != "" {
		return true
	}
	head, tail, ok := strings.Cut(text, ": ")
	return ok && hasText(words, head) && hasText(words, tail)
}

// problemTexts returns the texts of package status that tell a problem and what to do: the
// strings of problems.go that have more than one word, without those of units alone.
func problemTexts(t *testing.T) (texts []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "status", "problems.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), ":"))
		if strings.Contains(text, " ") && regexp.MustCompile(`\pL{4}`).MatchString(text) {
			texts = append(texts, strings.NewReplacer("%d", "{}", "%s", "{}").Replace(text))
		}
		return true
	})
	if len(texts) < 35 {
		t.Fatalf("only %d texts were found in the source", len(texts))
	}
	return texts
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
		"the view is spoilt: camera_drops":                      "näkymä on huono: linssissä on pisaroita tai likaa",
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

// Every advice and every fault of a view is on the page in the reader's language, and no code of the wire is in its place.
func TestEveryAdviceIsOnThePageInEveryLanguage(t *testing.T) {
	o := deviceOpts(t)
	s, err := o.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Problems = nil
	for _, text := range advice.Texts() {
		s.Problems = append(s.Problems, status.Problem{Part: "camera north", What: "not connected: connection refused", Do: text})
	}
	for f := counting.ViewGood + 1; f.IsKnown(); f++ {
		s.Problems = append(s.Problems, status.Problem{Part: "camera south", What: "the view is spoilt: " + f.String(), Do: "see view.md"})
	}
	book := loadBook()
	for _, lang := range book.Languages() {
		text, w := get(t, o, "/?lang="+lang).Body.String(), book.Words(lang)
		for _, p := range s.Problems {
			for _, own := range []string{w.T(p.What), w.T(p.Do)} {
				if !strings.Contains(html.UnescapeString(text), own) {
					t.Errorf("%s: the page lacks %q", lang, own)
				}
			}
		}
		if code := regexp.MustCompile(`camera_[a-z]+`).FindString(text); code != "" {
			t.Errorf("%s: the page shows %s", lang, code)
		}
		if dir := os.Getenv("KERB_PAGES"); dir != "" { // for a browser to look at
			style, _ := files.ReadFile("page/style.css")
			if err := errors.Join(os.WriteFile(filepath.Join(dir, lang+".html"), []byte(text), 0o600), os.WriteFile(filepath.Join(dir, "style.css"), style, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if text := get(t, o, "/?lang=en").Body.String(); !strings.Contains(text, "camera_frozen") {
		t.Error("the control: the English page has the code, and it was not found")
	}
}
