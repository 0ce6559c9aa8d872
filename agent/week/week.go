// Package week holds stretches of the week, as both files have them: days and
// hours in local time, such as Mon-Fri 07:00-19:00. It has no dates and no time
// zones: the caller converts to local time. It refuses stretches that go past
// midnight or past Sunday; write two instead.
package week

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// dayNames are the names of the days in the files, from Monday.
var dayNames = [7]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// SpanPattern is the form of one stretch as a pattern of JSON Schema. It lets
// hours up to 29 pass, which UnmarshalText refuses.
const SpanPattern = `^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(-(Mon|Tue|Wed|Thu|Fri|Sat|Sun))? [0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$`

// A Span is one stretch of the day, on one or more days of the week.
type Span struct {
	First, Last int // days of the week, 0 is Monday
	From, To    int // minutes since midnight, To excluded
}

// Spans is a set of stretches, which may overlap.
type Spans []Span

// UnmarshalText parses a form such as Mon-Fri 07:00-19:00 or Sun 00:00-24:00.
func (s *Span) UnmarshalText(b []byte) error {
	span, hours, ok := strings.Cut(string(b), " ")
	first, last, isRange := strings.Cut(span, "-")
	if !isRange {
		last = first
	}
	v := Span{First: slices.Index(dayNames[:], first), Last: slices.Index(dayNames[:], last)}
	from, to, isRange := strings.Cut(hours, "-")
	v.From, v.To = parseMinutes(from), parseMinutes(to)
	if !ok || !isRange || v.First < 0 || v.Last < v.First || v.From < 0 || v.To <= v.From {
		return errors.New(`must be days and hours of one day, such as "Mon-Fri 07:00-19:00" or "Sun 00:00-24:00"`)
	}
	*s = v
	return nil
}

// parseMinutes parses hh:mm, up to 24:00, as minutes since midnight; -1 if it
// is not of this form.
func parseMinutes(s string) int {
	var h, m int
	if n, err := fmt.Sscanf(s, "%d:%d", &h, &m); n != 2 || err != nil || FormatClock(h*60+m) != s || m > 59 || h*60+m > 24*60 {
		return -1
	}
	return h*60 + m
}

// FormatClock is minutes since midnight as hh:mm.
func FormatClock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// String is the form that UnmarshalText parses.
func (s Span) String() string {
	d := dayNames[s.First]
	if s.Last != s.First {
		d += "-" + dayNames[s.Last]
	}
	return d + " " + FormatClock(s.From) + "-" + FormatClock(s.To)
}

// Contains reports whether the local time at lies in one of the stretches.
func (s Spans) Contains(at time.Time) bool {
	day, minute := (int(at.Weekday())+6)%7, at.Hour()*60+at.Minute()
	return slices.ContainsFunc(s, func(s Span) bool {
		return s.First <= day && day <= s.Last && s.From <= minute && minute < s.To
	})
}

// DayNames are the names of the days in the files, from Monday.
func DayNames() [7]string { return dayNames }
