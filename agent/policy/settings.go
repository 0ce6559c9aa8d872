package policy

import "time"

// Settings are the values in force of a policy, as plain values for reports on it. A
// key that does not belong to the method has its zero value.
type Settings struct {
	Streams, Classes []string // names, in the order of the wire
	Quantities       []string // names of the quantities that are released beside the counts
	Pixels           string   // largest picture, WIDTHxHEIGHT
	FollowMax        time.Duration
	MasksRequired    bool
	MaskedCameras    []string // cameras for which the policy has masks of its own
	Open             []string // spans of the week, such as "Mon-Fri 07:00-19:00"
	TimeZone         string
	Window           time.Duration
	Method           Method
	Epsilon          float64
	Below, Round     int
	Totals           bool
	Bands            []int
	Overlap          int
	Retention        time.Duration
	Show             Show
	Session          time.Duration
	StatusPage       bool // the status page may be opened
	Commands         []string
	Alerts           []Alert
}

// Settings returns the values in force.
func (p *Policy) Settings() Settings {
	t := &p.terms
	s := Settings{
		Pixels: t.Camera.Pixels.String(), FollowMax: p.FollowMax(), MasksRequired: p.MasksRequired(),
		MaskedCameras: t.maskedCameras(), TimeZone: t.Hours.Timezone,
		Window: p.Window(), Method: p.Method(), Epsilon: p.Epsilon(), Below: t.Clear.Below, Totals: t.Clear.Totals,
		Bands: append([]int(nil), t.Clear.Bands...), Overlap: t.Clear.Overlap, Retention: p.Retention(),
		Show: t.Aim.Show, Session: time.Duration(t.Aim.Session), StatusPage: p.AllowsStatusPage(), Commands: append([]string(nil), p.AllowedCommands()...),
		Alerts: p.Alerts(),
	}
	if p.Method() == Suppress {
		s.Round = t.Clear.Round
	}
	for _, k := range t.Count.Streams {
		s.Streams = append(s.Streams, k.String())
	}
	for _, c := range t.Count.Classes {
		s.Classes = append(s.Classes, c.String())
	}
	for _, q := range t.Count.Quantities {
		s.Quantities = append(s.Quantities, q.String())
	}
	for _, h := range t.Hours.Open {
		s.Open = append(s.Open, h.String())
	}
	return s
}

// Belief is the largest probability that a reader of the numbers can assign to a
// presence that was as likely as not before, after one object was counted n times. It
// is 1 without noise: then nothing bounds it.
func (p *Policy) Belief(n int) float64 {
	if p.Method() != Noise {
		return 1
	}
	return posteriorBelief(float64(n) * p.Epsilon())
}
