package notice_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"kerb/agent/transparency"
	"kerb/agent/transparency/notice"
	"kerb/agent/transparency/recordtest"
)

func sign(t *testing.T, r *transparency.Record, l notice.Language, p notice.Paper) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := notice.WriteSVG(&b, r, l, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The sign says, in every language, the kind of thing that is counted, who answers, the
// device's code and the page; it is XML, and no letter is smaller than 9 points at A5.
func TestTheSignSaysItInEveryLanguage(t *testing.T) {
	r := recordtest.Make(t, recordtest.Options{Answers: recordtest.Answers})
	for l, words := range map[notice.Language][]string{
		notice.English: {"people, bicycles and vehicles", "every 15 minutes", "Pictures never leave", "Responsible:", "Mon-Sun 06:00-22:00", "Induction loop", "Kept 3 days"},
		notice.Finnish: {"ihmisiä, polkupyöriä ja ajoneuvoja", "15 minuutin välein", "Kuvat eivät koskaan", "Vastuussa:", "ma-su 06:00-22:00", "Induktiosilmukka", "Säilytys 3 päivää"},
		notice.Dutch:   {"mensen, fietsen en voertuigen", "elke 15 minuten", "Beelden verlaten", "Verantwoordelijk:", "ma-zo 06:00-22:00", "Detectielus", "Bewaard 3 dagen"},
		notice.German:  {"Menschen, Fahrräder und Fahrzeuge", "alle 15 Minuten", "Bilder verlassen", "Verantwortlich:", "Mo-So 06:00-22:00", "Induktionsschleife", "Gespeichert: 3 Tage"},
		notice.French:  {"les personnes, les vélos et les véhicules", "toutes les 15 minutes", "Les images ne quittent", "Responsable :", "lun-dim 06:00-22:00", "Boucle inductive", "Conservé : 3 jours"},
	} {
		svg := sign(t, r, l, notice.A5)
		text := textOf(t, svg)
		for _, w := range append(words, "City of Example", r.Device.Code.Value, "https://example.org/counting/"+r.Device.Code.Value) {
			if !strings.Contains(text, w) {
				t.Errorf("%s: the sign lacks %q:\n%s", l, w, text)
			}
		}
		if strings.Contains(text, "%!") || strings.Contains(text, "not provided") {
			t.Errorf("%s: %s", l, text)
		}
		for _, m := range regexp.MustCompile(`font-size="([0-9.]+)"`).FindAllStringSubmatch(svg, -1) {
			if mm, err := strconv.ParseFloat(m[1], 64); err != nil || mm*72/25.4 < 9 {
				t.Errorf("%s: a letter of %s mm is below 9 points", l, m[1])
			}
		}
		if a4 := sign(t, r, l, notice.A4); strings.Replace(a4, `width="210mm" height="297mm"`, `width="148mm" height="210mm"`, 1) != svg {
			t.Errorf("%s: A4 is not A5 in another size", l)
		}
	}
}

// textOf is the text of an SVG or a page, with one space between words.
func textOf(t *testing.T, doc string) string {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(doc))
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var b strings.Builder
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return strings.Join(strings.Fields(b.String()), " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := tok.(xml.CharData); ok {
			b.Write(text)
			b.WriteString(" ")
		}
	}
}

func TestWithoutAnswersSignAndPageSayNotProvided(t *testing.T) {
	r := recordtest.Make(t, recordtest.Options{})
	for l, word := range map[notice.Language]string{
		notice.English: "not provided", notice.Finnish: "ei ilmoitettu", notice.Dutch: "niet opgegeven", notice.German: "nicht angegeben", notice.French: "non communiqué",
	} {
		var b bytes.Buffer
		missing, err := notice.WriteSVG(&b, r, l, notice.A5)
		if n := strings.Count(textOf(t, b.String()), word); err != nil || n != 5 || len(missing) != 5 || strings.Contains(b.String(), "<path") {
			t.Errorf("%s: the sign has %d blanks, %d missing, %v", l, n, len(missing), err)
		}
		b.Reset()
		missing, err = notice.WritePage(&b, r, l, nil)
		if n := strings.Count(b.String(), word); err != nil || n != 5 || len(missing) != 6 {
			t.Errorf("%s: the page has %d blanks, %d missing, %v", l, n, len(missing), err)
		}
	}
}

// The page needs nothing from elsewhere and has no script; its own policy would stop one.
func TestThePageLoadsNothing(t *testing.T) {
	answers := recordtest.Replace(t, recordtest.Answers, `objection = "Write to dpo@example.org."`, `objection = "<script>alert(1)</script> <img src=https://evil.example/x>"`)
	for _, l := range notice.Languages() {
		var b bytes.Buffer
		if _, err := notice.WritePage(&b, recordtest.Make(t, recordtest.Options{Answers: answers}), l, nil); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"<script", "<img", "<link", "<a ", "url(", "@import", "<no value>", "%!"} {
			if strings.Contains(b.String(), bad) {
				t.Errorf("%s: the page has %s", l, bad)
			}
		}
		if !strings.Contains(b.String(), "default-src 'none'") {
			t.Errorf("%s: no content policy", l)
		}
	}
}

func TestThePageShowsTheWindowsAsEverybodyGetsThem(t *testing.T) {
	var windows []json.RawMessage
	for _, m := range []string{
		`{"schema":"kerb.count/1","device":"pi-0a1b","stream":"path","start":"2026-11-30T10:00:00Z","end":"2026-11-30T10:15:00Z","quality":"ok","counts":[{"class":"person","dir":"a_to_b","n":41},{"class":"bicycle","dir":"a_to_b","below":5}]}`,
		`{"schema":"kerb.count/1","device":"pi-0a1b","stream":"path","start":"2026-11-30T10:15:00Z","end":"2026-11-30T10:30:00Z","quality":"gap","reason":"camera_dark"}`,
		`{"schema":"kerb.count/1","device":"pi-0a1b","stream":"busy","start":"2026-11-30T10:00:00Z","end":"2026-11-30T10:15:00Z","quality":"ok","counts":[{"class":"person","min":5,"below":10}]}`,
		`{"schema":"kerb.count/1","device":"another","stream":"secret","start":"2026-11-30T10:00:00Z","end":"2026-11-30T10:15:00Z","quality":"ok","counts":[]}`,
	} {
		windows = append(windows, json.RawMessage(m))
	}
	r := recordtest.Make(t, recordtest.Options{Answers: recordtest.Answers})
	var b bytes.Buffer
	if _, err := notice.WritePage(&b, r, notice.English, windows); err != nil {
		t.Fatal(err)
	}
	text := textOf(t, b.String())
	for _, want := range []string{"people a→b: 41; bicycles a→b: below 5", "not counted (camera_dark)", "people: 5–9", "2026-11-30 10:15 UTC"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(text, "secret") {
		t.Error("the page shows the window of another device")
	}
	if _, err := notice.WritePage(&b, r, notice.English, []json.RawMessage{[]byte("[")}); err == nil {
		t.Error("a window that is no message: taken")
	}
	// The element that a scanned sign leads to.
	if id := `id="` + strings.Replace(r.Policy.Hash.Value, ":", "-", 1) + `"`; !strings.Contains(b.String(), id) {
		t.Error("the page has no element for the sign's code")
	}
}
