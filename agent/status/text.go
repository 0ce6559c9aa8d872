package status

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Print writes the status for people: a line for each part, which tells what to do
// where it is not well.
func (s *Status) Print(w io.Writer) error {
	var b strings.Builder
	s.printHead(&b)
	for _, l := range s.Lines() {
		l.print(&b)
	}
	if s.Lamp != nil && s.Lamp.Fixed {
		fmt.Fprintf(&b, "lamp    %s\n", describeLamp(s.Lamp.Code))
	}
	for _, a := range s.Alarms {
		fmt.Fprintf(&b, "busy    %s\n", a.describe())
	}
	for _, x := range s.Windows {
		if line, err := x.describe(); err == nil {
			fmt.Fprintf(&b, "window  %s\n", line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// describe tells the state of an alert, such as "plaza, person: since 14:02".
func (a Alarm) describe() string {
	what := a.Stream + ", " + a.Class + ": "
	switch {
	case !a.Busy:
		return what + "no"
	case a.Since.IsZero():
		return what + "YES"
	}
	return what + "YES, since " + a.Since.Local().Format("2006-01-02 15:04")
}

// printHead writes the line of the device, and where kerb does not run, that.
func (s *Status) printHead(b *strings.Builder) {
	if s.Name == "" && !s.Running {
		return
	}
	fmt.Fprintf(b, "device  %s/%s/%s", s.Tenant, s.Site, s.Name)
	if s.Running {
		fmt.Fprintf(b, ", up %s, kerb %s", FormatAge(s.Up), s.Version)
	}
	if s.Policy != nil {
		fmt.Fprintf(b, ", policy %s, version %d", s.Policy.Title, s.Policy.Version)
	}
	b.WriteByte('\n')
}

// Line is one part of a device: its problems, or how it is where it has none.
type Line struct {
	Label, Name string // such as "camera", "north"; Name may be empty
	Problems    []Problem
	Well        string // empty only where there are problems
}

// Lines returns the parts of the device in the order of their importance for a reader:
// those that the status knows, and those that have a problem.
func (s *Status) Lines() (all []Line) {
	add := func(label, name, well string) {
		l := Line{Label: label, Name: name, Well: well}
		part := strings.TrimSpace(label + " " + name)
		for _, p := range s.Problems {
			if p.Part == part {
				l.Problems = append(l.Problems, p)
			}
		}
		if well != "" || l.Problems != nil {
			all = append(all, l)
		}
	}
	add("kerb", "", "")
	for _, c := range s.Cameras {
		add("camera", c.Name, c.Describe())
	}
	if s.Loops != nil {
		add("loops", "", s.Loops.State)
	}
	add("broker", "", s.describeBroker())
	add("spool", "", s.describeSpool())
	if s.Clock != nil {
		add("clock", "", "believed: "+s.Clock.Source)
	}
	if s.Disk != nil {
		add("disk", "", FormatBytes(s.Disk.Free)+" free")
	}
	for _, part := range []string{"policy", "audit", "files"} {
		add(part, "", "")
	}
	return all
}

// print writes the problems of a part, each in one line with what to do, or else how it
// is.
func (l Line) print(b *strings.Builder) {
	label := l.Label
	if l.Name != "" {
		label = fmt.Sprintf("%-7s %-10s", label, l.Name)
	}
	for _, p := range l.Problems {
		fmt.Fprintf(b, "%-7s %s → %s\n", label, p.What, p.Do)
	}
	if l.Problems == nil {
		fmt.Fprintf(b, "%-7s %s\n", label, l.Well)
	}
}

// FormatUp tells since when the agent counts, such as "3 h 12 min".
func (s *Status) FormatUp() string { return FormatAge(s.Up) }

// Describe tells how a camera is that has no problem.
func (c Camera) Describe() string {
	switch c.State {
	case Closed:
		return "closed at this hour"
	case Aimed:
		return "kerb aim has it"
	}
	parts := []string{fmt.Sprintf("%.1f pictures/s", c.Rate)}
	if c.Every > 0 {
		parts[0] = fmt.Sprintf("one picture every %g s", c.Every)
	}
	switch {
	case c.LookRate > 0:
		parts = append(parts, fmt.Sprintf("%s, %.0f looks/s", c.Detector, c.LookRate))
	case c.Detector != "":
		parts = append(parts, c.Detector)
	}
	if c.View != "" {
		parts = append(parts, "view "+c.View)
	}
	return strings.Join(parts, ", ")
}

// describeBroker tells how the way to the broker is that has no problem.
func (s *Status) describeBroker() string {
	if s.Broker == nil {
		return ""
	}
	text := s.Broker.URL
	if s.Broker.Connected {
		text += fmt.Sprintf(", connected %s, delivery proven", FormatAge(int64(s.At.Sub(s.Broker.Since)/time.Second)))
	}
	return text
}

// describeSpool tells how many windows wait, and how full the spool is.
func (s *Status) describeSpool() string {
	p := s.Spool
	if p == nil {
		return ""
	}
	text := fmt.Sprintf("%d windows wait", p.Waiting)
	if p.Waiting > 0 && !p.First.IsZero() {
		text += ", the first of " + p.First.Local().Format("2006-01-02 15:04")
	}
	return text + fmt.Sprintf("; %s of at most %s", FormatBytes(uint64(max(p.Used, 0))), FormatBytes(uint64(max(p.Limit, 0))))
}

// LampSign is a pattern of the lamp and what it means.
type LampSign struct {
	Code    string // of package lamp
	Seen    string
	Meaning string
}

// LampSigns returns the patterns of the lamp, the most urgent last.
func LampSigns() []LampSign {
	return []LampSign{
		{"counting", "one short flash every 3 s", "all is well"},
		{"busy", "a flash of a second every 3 s", "an alert of the policy is on"},
		{"offline", "two short flashes every 3 s", "the broker cannot be reached"},
		{"unsighted", "three short flashes every 3 s", "the view of a camera is spoilt"},
		{"aiming", "half a second on, half off", "an aiming session is open"},
		{"fault", "five flashes a second", "a fault"},
		{"dark", "off", "kerb does not run"},
	}
}

// describeLamp tells a pattern and its meaning.
func describeLamp(code string) string {
	for _, s := range LampSigns() {
		if s.Code == code {
			return s.Seen + ": " + s.Meaning
		}
	}
	return ""
}

// FormatBytes writes a number of bytes for people.
func FormatBytes(n uint64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
