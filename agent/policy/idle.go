package policy

import (
	"fmt"
	"slices"
	"time"

	"kerb/agent/mistake"
	"kerb/agent/week"
)

// An IdleStretch is a part of the policy's hours in which no whole window lies: counting is
// allowed there, and all that leaves is gaps. Windows are aligned in UTC, so where the clocks
// of the time zone change, a stretch can be idle in a part of the year.
type IdleStretch struct {
	Open   week.Spans // members of hours.open, or some of their days
	Clocks string     // the time that the clocks there show in that part of the year, such as UTC+2; "": always
}

const minutesADay = 24 * 60

// IdleStretches returns the idle stretches of the policy's hours: those of the whole year
// first.
func (p *Policy) IdleStretches() []IdleStretch { return p.terms.idleStretches(p.zone) }

// idleStretches returns the idle stretches, as IdleStretches does.
func (t *terms) idleStretches(zone *time.Location) (out []IdleStretch) {
	open := t.openMinutes()
	if open == wholeWeek() {
		return nil
	}
	offsets := offsetsOf(zone)
	idle, times := map[week.Span]int{}, make([][]week.Span, len(offsets))
	for i, offset := range offsets {
		filled := fillWindows(open, offset, time.Duration(t.Clear.Window))
		for _, d := range t.openDays() {
			if !slices.Contains(filled[d.First*minutesADay+d.From:d.First*minutesADay+d.To], true) {
				idle[d]++
				times[i] = append(times[i], d)
			}
		}
	}
	always := func(d week.Span) bool { return idle[d] == len(offsets) }
	if ds := slices.DeleteFunc(t.openDays(), func(d week.Span) bool { return !always(d) }); len(ds) > 0 {
		out = append(out, IdleStretch{Open: joinDays(ds)})
	}
	for i, offset := range offsets {
		if ds := slices.DeleteFunc(times[i], always); len(ds) > 0 {
			out = append(out, IdleStretch{joinDays(ds), formatOffset(offset)})
		}
	}
	return out
}

// openDays are the members of hours.open, by single days.
func (t *terms) openDays() (days []week.Span) {
	for _, s := range t.Hours.Open {
		for d := s.First; d <= s.Last; d++ {
			days = append(days, week.Span{First: d, Last: d, From: s.From, To: s.To})
		}
	}
	return days
}

// joinDays joins equal hours of days that follow one another.
func joinDays(days []week.Span) (out week.Spans) {
	for _, d := range days {
		if n := len(out); n > 0 && out[n-1].Last+1 == d.First && out[n-1].From == d.From && out[n-1].To == d.To {
			out[n-1].Last = d.First
			continue
		}
		out = append(out, d)
	}
	return out
}

// offsetsOf are the offsets of a time zone from UTC from 2026 to 2035, from west to east. The
// years are fixed: a policy is valid or not whatever the clock shows.
func offsetsOf(zone *time.Location) (all []time.Duration) {
	for at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC); at.Year() < 2036; at = at.AddDate(0, 0, 7) {
		_, seconds := at.In(zone).Zone()
		if o := time.Duration(seconds) * time.Second; !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	slices.Sort(all)
	return all
}

// eachWindow calls f for each window of a week that lies wholly in the open minutes, with the
// minutes of the week that it touches, in local time; the last can lie past the week's end.
func eachWindow(open weekMinutes, offset, window time.Duration, f func(from, to int)) {
	shift := offset % window // a window begins at this time of a day, and each window later
	for start := shift; start < shift+7*24*time.Hour; start += window {
		from, to := floorMinutes(start), floorMinutes(start+window+time.Minute-1)
		whole := true
		for m := from; m < to && whole; m++ {
			whole = open[(m+len(open))%len(open)]
		}
		if whole {
			f(from, to)
		}
	}
}

// floorMinutes are the whole minutes of d, rounded down.
func floorMinutes(d time.Duration) int {
	return int((d+minutesADay*time.Minute)/time.Minute) - minutesADay
}

// fillWindows tells for each minute of the week whether a whole window covers it.
func fillWindows(open weekMinutes, offset, window time.Duration) (filled weekMinutes) {
	eachWindow(open, offset, window, func(from, to int) {
		for m := from; m < to; m++ {
			filled[(m+len(filled))%len(filled)] = true
		}
	})
	return filled
}

// givesNumbers reports whether a camera with hours of its own can give a number in any
// window: without noise half of a window must be seen.
func (p *Policy) givesNumbers(own week.Spans) bool {
	seen, open, window, can := minutesIn(own), p.terms.openMinutes(), p.Window(), false
	for _, offset := range offsetsOf(p.zone) {
		eachWindow(open, offset, window, func(from, to int) {
			n := 0
			for m := from; m < to; m++ {
				n += boolToInt(seen[(m+len(seen))%len(seen)])
			}
			can = can || n > 0 && (p.Method() == Noise || 2*time.Duration(n)*time.Minute >= window)
		})
	}
	return can
}

// formatOffset is an offset as UTC, UTC+2 or UTC+5:30.
func formatOffset(o time.Duration) string {
	sign := "+"
	if o < 0 {
		sign, o = "-", -o
	}
	switch h, m := int(o/time.Hour), int(o%time.Hour/time.Minute); {
	case h == 0 && m == 0:
		return "UTC"
	case m == 0:
		return fmt.Sprintf("UTC%s%d", sign, h)
	default:
		return fmt.Sprintf("UTC%s%d:%02d", sign, h, m)
	}
}

// checkHours reports hours in which no whole window lies at any time of the year, and alerts
// that take longer than any row of windows in them. Hours of which a part is idle are told by
// kerb check and by the explanation.
func (t *terms) checkHours(s *mistake.Sheet, zone *time.Location) {
	w, open := time.Duration(t.Clear.Window), t.openMinutes()
	if w < time.Minute || maxWindow%w != 0 || len(t.Hours.Open) == 0 || open == wholeWeek() {
		return // the first three are mistakes of their own
	}
	longest := time.Duration(0)
	for _, offset := range offsetsOf(zone) {
		longest = max(longest, longestRow(fillWindows(open, offset, w)))
	}
	if longest == 0 {
		s.Reject("hours.open", "must hold at least one whole window of "+t.Clear.Window.String(),
			fmt.Sprintf("windows begin at whole multiples of %s in UTC; one that is not wholly within the hours has no numbers: open for longer, or make clear.window shorter", t.Clear.Window))
		return
	}
	for i, a := range t.Alert {
		if time.Duration(a.For) > longest {
			s.Reject(fmt.Sprintf("alert[%d].for", i), "must be at most "+duration(longest).String(), "hours.open holds no longer row of windows: the alert would never be told")
		}
	}
}

// longestRow is the longest row of minutes that windows fill; a row goes on after the week's
// end.
func longestRow(filled weekMinutes) time.Duration {
	most, row := 0, 0
	for i := range 2 * len(filled) {
		if row++; !filled[i%len(filled)] {
			row = 0
		}
		most = max(most, row)
	}
	return time.Duration(most) * time.Minute
}
