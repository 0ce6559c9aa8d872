// Package week is stretches of the week, as both files say them: days and hours
// in local time.
package week

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// dayNames are the names of the days.
var dayNames = [7]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// SpanPattern is the form of a Shift in a JSON Schema.
const SpanPattern = `^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(-(Mon|Tue|Wed|Thu|Fri|Sat|Sun))? [0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$`

// A Shift is a stretch of the day on some days of the week.
type Shift struct {
	First, Last int // days of the week, 0 is Monday
	From, To    int // minutes since midnight, To excluded
}

// Shifts are open when one of them is.
type Shifts []Shift

// UnmarshalText reads a form such as Mon-Fri 07:00-19:00.
func (s *Shift) UnmarshalText(b []byte) error {
	span, hours, ok := strings.Cut(string(b), " ")
	first, last, isRange := strings.Cut(span, "-")
	if !isRange {
		last = first
	}
	v := Shift{First: slices.Index(dayNames[:], first), Last: slices.Index(dayNames[:], last)}
	from, to, isRange := strings.Cut(hours, "-")
	v.From, v.To = parseMinutes(from), parseMinutes(to)
	if !ok || !isRange || v.First < 0 || v.Last < v.First || v.From < 0 || v.To <= v.From {
		return errors.New(`must be days and hours of one day, such as "Mon-Fri 07:00-19:00" or "Sun 00:00-24:00"`)
	}
	*s = v
	return nil
}

// parseMinutes since midnight of hh:mm, up to 24:00, or -1.
func parseMinutes(s string) int {
	var h, m int
	if n, err := fmt.Sscanf(s, "%d:%d", &h, &m); n != 2 || err != nil || FormatClock(h*60+m) != s || m > 59 || h*60+m > 24*60 {
		return -1
	}
	return h*60 + m
}

// FormatClock is such a time of day as hh:mm.
func FormatClock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

func (s Shift) String() string {
	d := dayNames[s.First]
	if s.Last != s.First {
		d += "-" + dayNames[s.Last]
	}
	return d + " " + FormatClock(s.From) + "-" + FormatClock(s.To)
}

// Open reports whether local time at lies in one of the shifts.
func (s Shifts) Open(at time.Time) bool {
	day, minute := (int(at.Weekday())+6)%7, at.Hour()*60+at.Minute()
	return slices.ContainsFunc(s, func(s Shift) bool {
		return s.First <= day && day <= s.Last && s.From <= minute && minute < s.To
	})
}

// DayNames are the names of the days, from Monday on.
func DayNames() [7]string { return dayNames }
