package policy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"kerb/agent/mistake"
	"kerb/agent/week"
	"kerb/counting"
)

// withHours is a policy of a method with a window and hours.
func withHours(method, window, zone string, open ...string) string {
	clear := map[string]string{
		"noise": `epsilon = 1, below = 5`, "suppress": `below = 10, round = 10`, "bands": `bands = [5, 10]`,
	}[method]
	text := strings.Split(noisy, "clear")[0]
	if method == "bands" {
		text = strings.Split(banded, "clear")[0] + "keep.retention = \"24h\"\n"
	}
	return text + fmt.Sprintf("clear = {window = %q, method = %q, %s}\nhours = {open = [%s], timezone = %q}\n", window, method, clear, `"`+strings.Join(open, `", "`)+`"`, zone)
}

// Hours in which no whole window lies at any time of the year are a mistake, and so is an
// alert that takes longer than any row of windows.
func TestHoursHoldAWholeWindow(t *testing.T) {
	for _, v := range []struct {
		window, zone string
		open         []string
		holds        bool
	}{
		{"1h", "Europe/Helsinki", []string{"Mon-Fri 08:30-09:15"}, false},
		{"1h", "Europe/Helsinki", []string{"Mon-Fri 08:30-09:45", "Sat 10:15-11:45"}, false},
		{"1h", "Europe/Helsinki", []string{"Mon-Fri 08:30-10:00"}, true},
		{"1h", "Asia/Kolkata", []string{"Mon-Fri 08:30-09:30"}, true},
		{"1h", "Asia/Kolkata", []string{"Mon-Fri 08:00-09:00"}, false},
		{"1h", "Asia/Kathmandu", []string{"Mon 08:45-09:45"}, true},
		{"15m", "Europe/Helsinki", []string{"Mon-Fri 08:20-08:40"}, false},
		{"15m", "Europe/Helsinki", []string{"Mon 08:20-08:40", "Mon 08:40-08:50"}, true},
		{"24h", "UTC", []string{"Mon-Fri 07:00-19:00"}, false},
		{"24h", "UTC", []string{"Sat 00:00-24:00"}, true},
		{"24h", "Europe/Helsinki", []string{"Sat 00:00-24:00"}, false},
		{"24h", "Europe/Helsinki", []string{"Sat-Sun 00:00-24:00"}, true},
		{"2h", "UTC", []string{"Mon 23:00-24:00", "Tue 00:00-01:00"}, false},
		{"2h", "Europe/Helsinki", []string{"Sun 22:00-24:00", "Mon 00:00-02:00"}, true},
		{"12h", "Europe/Helsinki", []string{"Mon-Fri 03:00-15:00"}, true}, // in summer
		{"12h", "Europe/Helsinki", []string{"Mon-Fri 08:00-18:00"}, false},
		{"1h", "America/New_York", []string{"Sun 01:30-02:30"}, false},
		{"1m", "UTC", []string{"Mon 08:30-08:31"}, true},
	} {
		_, err := Parse("policy.toml", []byte(withHours("noise", v.window, v.zone, v.open...)))
		if v.holds != (err == nil) {
			t.Errorf("%s of %v in %s: %v", v.window, v.open, v.zone, err)
		}
		var l mistake.List
		if err != nil && (!errors.As(err, &l) || l[0].Key != "hours.open" || l[0].Line == 0) {
			t.Errorf("%s of %v: %v", v.window, v.open, err)
		}
	}
	alert := withHours("bands", "15m", "UTC", "Mon-Fri 08:10-09:10", "Sat 08:00-08:30") + `alert = [{stream = "s", class = "person", raise = 10, clear = 5, for = "%s"}]` + "\n"
	if _, err := Parse("policy.toml", fmt.Appendf(nil, alert, "45m")); err != nil {
		t.Error(err)
	}
	if _, err := Parse("policy.toml", fmt.Appendf(nil, alert, "1h")); err == nil || !strings.Contains(err.Error(), "alert[0].for") {
		t.Errorf("an alert that can never be told: %v", err)
	}
}

// Hours of which a part is idle are told, with the part of the year.
func TestIdleHoursAreTold(t *testing.T) {
	for _, v := range []struct{ window, zone, open, want string }{
		{"1h", "Europe/Helsinki", "Mon-Fri 07:00-19:00|Sat 08:30-09:15", "Sat 08:30-09:15"},
		{"6h", "Europe/Helsinki", "Mon-Fri 08:00-14:00|Sun 09:00-15:00", "Sun 09:00-15:00 UTC+2; Mon-Fri 08:00-14:00 UTC+3"},
		{"1h", "Australia/Lord_Howe", "Mon-Fri 08:30-09:30", "Mon-Fri 08:30-09:30 UTC+11"},
		{"1h", "Africa/Casablanca", "Mon 08:30-09:15|Mon 10:00-11:00|Tue 08:30-09:15", "Mon-Tue 08:30-09:15"},
		{"15m", "Europe/Helsinki", "Mon-Fri 07:00-19:00", ""},
		{"15m", "Europe/Helsinki", "Mon-Sun 00:00-24:00", ""},
	} {
		p := parse(t, withHours("noise", v.window, v.zone, strings.Split(v.open, "|")...))
		var got []string
		for _, s := range p.IdleStretches() {
			var names []string
			for _, o := range s.Open {
				names = append(names, o.String())
			}
			got = append(got, strings.TrimSpace(strings.Join(names, ", ")+" "+s.Clocks))
		}
		if text := strings.Join(got, "; "); text != v.want {
			t.Errorf("%s of %s in %s: %q, want %q", v.window, v.open, v.zone, text, v.want)
		}
	}
}

// What IdleStretches and the mistake say of random hours is what Clear does in each window of
// a week of winter and one of summer.
func TestIdleHoursAreThoseWithoutNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(22, 7))
	refused, idle := 0, 0
	for range 40 {
		zone := []string{"UTC", "Europe/Helsinki", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns"}[r.IntN(5)]
		window := []string{"30m", "1h", "4h", "6h"}[r.IntN(4)]
		var open []string
		for range 2 {
			from := 15 * r.IntN(90)
			s := week.Span{First: r.IntN(6), Last: 6, From: from, To: min(from+15*(1+r.IntN(24)), 24*60)}
			open = append(open, s.String())
		}
		p, err := Parse("policy.toml", []byte(withHours("noise", window, zone, open...)))
		if err != nil {
			refused++
			p = parse(t, withHours("noise", "1m", zone, open...)) // for its hours
			p.terms.Clear.Window = duration(mustDuration(t, window))
		}
		known := map[string]bool{}
		for _, s := range p.IdleStretches() {
			idle++
			for _, o := range s.Open {
				for d := o.First; d <= o.Last; d++ {
					known[fmt.Sprint(week.Span{First: d, Last: d, From: o.From, To: o.To}, s.Clocks)] = true
				}
			}
		}
		for _, month := range []time.Month{1, 7} {
			at := time.Date(2027, month, 4, 0, 0, 0, 0, time.UTC)
			at = at.AddDate(0, 0, -(int(at.Weekday())+6)%7)
			_, seconds := at.In(p.zone).Zone()
			clocks, covered := formatOffset(time.Duration(seconds)*time.Second), minutesWithNumbers(p, at)
			for _, d := range p.terms.openDays() {
				given := false
				for m := d.From; m < d.To; m++ {
					given = given || covered[d.First*minutesADay+m]
				}
				if want := err == nil && !known[fmt.Sprint(d, clocks)] && !known[fmt.Sprint(d, "")]; given != want {
					t.Fatalf("%s of %v in %s, %s: numbers %v (%v)", window, open, zone, d, given, err)
				}
			}
		}
	}
	if refused < 5 || idle < 5 {
		t.Errorf("%d refused, %d idle stretches: too few to tell", refused, idle)
	}
}

func mustDuration(t *testing.T, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// minutesWithNumbers are the minutes of the week from monday on, in local time, that lie in a
// window with a number.
func minutesWithNumbers(p *Policy, monday time.Time) (w weekMinutes) {
	for at := monday.Add(-48 * time.Hour); at.Before(monday.AddDate(0, 0, 9)); at = at.Add(p.Window()) {
		tally := window(p, counting.LineStream)
		tally.Start, tally.End = at, at.Add(p.Window())
		r, err := p.Clear(tally)
		if err != nil || r.Quality() != counting.OK {
			continue
		}
		for m := at; m.Before(tally.End); m = m.Add(time.Minute) {
			local := m.In(p.zone)
			w[(int(local.Weekday())+6)%7*minutesADay+local.Hour()*60+local.Minute()] = true
		}
	}
	return w
}

// A camera whose own hours leave no window with a number is refused, by the method: without
// noise half of a window must be seen.
func TestHoursOfACameraGiveNumbers(t *testing.T) {
	for _, v := range []struct {
		method, policy, camera string
		fits                   bool
	}{
		{"noise", "Mon-Fri 07:00-19:00", "Mon-Fri 08:30-09:15", true},
		{"noise", "Mon-Fri 07:00-19:00", "Sat 08:00-12:00", false},
		{"noise", "Mon-Fri 07:30-09:30", "Mon-Fri 07:30-08:00", false},
		{"suppress", "Mon-Sun 00:00-24:00", "Mon-Fri 08:30-09:15", true},
		{"suppress", "Mon-Sun 00:00-24:00", "Mon-Fri 08:40-09:20", false},
		{"bands", "Mon-Sun 00:00-24:00", "Mon-Fri 08:40-09:20", false},
		{"bands", "Mon-Sun 00:00-24:00", "Mon-Fri 08:40-09:30", true},
	} {
		p := parse(t, withHours(v.method, "1h", "Europe/Helsinki", v.policy))
		var own week.Span
		if err := own.UnmarshalText([]byte(v.camera)); err != nil {
			t.Fatal(err)
		}
		cs := p.CheckSite(Site{Cameras: []Camera{{Name: "north", At: "site.toml:9", Hours: week.Spans{own}}}})
		if v.fits != (len(cs) == 0) {
			t.Errorf("%s in %s by %s: %v", v.camera, v.policy, v.method, cs)
		}
	}
}
