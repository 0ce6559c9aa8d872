package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

var days = [7]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// shift is a stretch of the day on some days of the week, in local time.
type shift struct {
	first, last int // days of the week, 0 is Monday
	from, to    int // minutes since midnight, to excluded
}

func (s *shift) UnmarshalText(b []byte) error {
	span, clock, ok := strings.Cut(string(b), " ")
	first, last, isRange := strings.Cut(span, "-")
	if !isRange {
		last = first
	}
	v := shift{first: slices.Index(days[:], first), last: slices.Index(days[:], last)}
	from, to, isRange := strings.Cut(clock, "-")
	v.from, v.to = minutes(from), minutes(to)
	if !ok || !isRange || v.first < 0 || v.last < v.first || v.from < 0 || v.to <= v.from {
		return errors.New(`must be days and hours of one day, such as "Mon-Fri 07:00-19:00" or "Sun 00:00-24:00"`)
	}
	*s = v
	return nil
}

// minutes since midnight of hh:mm, up to 24:00, or -1.
func minutes(s string) int {
	var h, m int
	if n, err := fmt.Sscanf(s, "%d:%d", &h, &m); n != 2 || err != nil || clock(h*60+m) != s || m > 59 || h*60+m > 24*60 {
		return -1
	}
	return h*60 + m
}

func clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

func (s shift) String() string {
	d := days[s.first]
	if s.last != s.first {
		d += "-" + days[s.last]
	}
	return d + " " + clock(s.from) + "-" + clock(s.to)
}

// open reports whether local time at lies in one of the shifts.
func (t *terms) open(at time.Time) bool {
	day, minute := (int(at.Weekday())+6)%7, at.Hour()*60+at.Minute()
	return slices.ContainsFunc(t.Hours.Open, func(s shift) bool {
		return s.first <= day && day <= s.last && s.from <= minute && minute < s.to
	})
}
