package notice

import (
	"fmt"
	"strings"

	"kerb/agent/week"
	"kerb/counting"
)

// A Language is a language of the sign and the page.
type Language string

// The languages.
const (
	English Language = "en"
	Finnish Language = "fi"
	Dutch   Language = "nl"
	German  Language = "de"
	French  Language = "fr"
)

// Languages returns all languages.
func Languages() []Language { return []Language{English, Finnish, Dutch, German, French} }

// ParseLanguage accepts en, fi, nl, de and fr.
func ParseLanguage(s string) (Language, error) {
	for _, l := range Languages() {
		if string(l) == s {
			return l, nil
		}
	}
	return "", fmt.Errorf("language %q: must be one of en, fi, nl, de, fr", s)
}

// words are the words of one language. Fields with %s or %d are formats; their values are
// named behind them.
type words struct {
	and         string
	classes     [counting.Classes]string // as the object of "are counted here"
	names       [counting.Classes]string // as the head of a column
	units       [4][2]string             // second, minute, hour, day: one, several
	everyOne    [4]string                // every second, minute, hour, day
	everyMany   string                   // every %d units, with the units of everyUnits
	everyUnits  [4]string
	days        [7]string // Monday first
	always      string
	heading     string // %s classes
	camera      string
	loops       string
	both        string
	never       string
	neverLoops  string
	leaves      string // %s every
	noise       string
	below       string // %d, %d
	suppress    string // %d
	round       string // %d
	bands       string
	besides     string // %s quantities
	quantities  [counting.Quantities]string
	kept        string // %s span
	undelivered string
	who         string
	contact     string
	why         string
	basis       string
	hours       string
	code        string
	scan        string
	weak        string // %s classes
	missing     string // not provided
	belief      string // %d percent
	noBelief    string
	icons       map[string]string // by DTPR id; %s span for retention__data_retained
	page        pageWords
}

// pageWords are the words of the page alone.
type pageWords struct {
	title, whatCounted, whatLeaves, howLong, meaning, object, technical string
	held                                                                string // %d windows, %s oldest, %d pending
	heldNone, heldUnread                                                string
	since                                                               string // %s
	signMatches, signOther                                              string
	walls, process, refused, open                                       string
	roles                                                               map[string]string
	errors, condition                                                   string
	windows, stream, from, to, numbers, noWindows, gap, belowWord       string
	version, entry                                                      string // %d
	policy, audit, build, made, place, signed, unsigned                 string
}

// joinList joins words with commas and "and".
func (s *words) joinList(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " " + s.and + " " + list[len(list)-1]
}

// classList joins classes by their words.
func (s *words) classList(classes []string, of *[counting.Classes]string) string {
	var list []string
	for _, name := range classes {
		if c, err := counting.ParseClass(name); err == nil {
			list = append(list, of[c])
		}
	}
	return s.joinList(list)
}

// unitOf splits seconds into a number of the largest unit that fits, by its index.
func unitOf(seconds int) (n, unit int) {
	for i, size := range []int{86400, 3600, 60} {
		if seconds > 0 && seconds%size == 0 {
			return seconds / size, 3 - i
		}
	}
	return seconds, 0
}

// span is a length of time, such as 15 minutes.
func (s *words) span(seconds int) string {
	n, u := unitOf(seconds)
	form := s.units[u][1]
	if n == 1 {
		form = s.units[u][0]
	}
	return fmt.Sprintf("%d %s", n, form)
}

// every is an interval, such as every 15 minutes.
func (s *words) every(seconds int) string {
	n, u := unitOf(seconds)
	if n == 1 {
		return s.everyOne[u]
	}
	return fmt.Sprintf(s.everyMany, n, s.everyUnits[u])
}

// hoursOf names spans of the week such as Mon-Fri 07:00-19:00, with the days of the language.
func (s *words) hoursOf(spans []string, zone string) string {
	if len(spans) == 1 && spans[0] == "Mon-Sun 00:00-24:00" {
		return s.always
	}
	text := strings.Join(spans, ", ")
	for i, day := range week.DayNames() {
		text = strings.ReplaceAll(text, day, s.days[i])
	}
	return text + " (" + zone + ")"
}

// wordsOf returns the words of a language.
func wordsOf(l Language) *words {
	switch l {
	case Finnish:
		return finnish()
	case Dutch:
		return dutch()
	case German:
		return german()
	case French:
		return french()
	}
	return english()
}
