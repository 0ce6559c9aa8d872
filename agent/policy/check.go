package policy

import (
	"fmt"
	"slices"
	"strings"

	"kerb/agent/week"
	"kerb/counting"
)

// A Site holds the parts of a site that a policy limits, each with its position
// in site.toml as file:line.
type Site struct {
	At      string // the file
	Cameras []Camera
	Streams []Stream

	WatermarkAt string // where the site waits for the command watermark; "": it does not
}

// A Camera is one camera of a site.
type Camera struct {
	Name  string
	At    string
	Masks []counting.Polygon // areas that the site itself blackens
	Hours week.Spans         // its own; nil: those of the policy
}

// A Stream is one line, zone or loop of a site.
type Stream struct {
	counting.Stream
	At string
}

// A Conflict is one request of the site that the policy does not allow.
type Conflict struct {
	Site, Policy string // both positions, file:line
	What         string
	Key          string         // the policy's key, such as clear.overlap
	Streams      []string       // the streams that it is about, if any
	Class        counting.Class // of clear.overlap: the coarse class
	Limit        int            // of clear.overlap: how many streams may count it; 0: only whole or in parts, not both
}

// Error is one line with both positions.
func (c Conflict) Error() string { return fmt.Sprintf("%s: %s (%s)", c.Site, c.What, c.Policy) }

// The masks that a policy requires cover at least minMasked of the picture, as a share of
// the points of a grid: less than a hundredth of both sides' square is no mask of
// anything. Chosen by hand.
const (
	minMasked = 0.005
	maskGrid  = 200 // points on each side
)

// coversEnough reports whether masks together cover at least minMasked of the picture.
func coversEnough(masks []counting.Polygon) bool {
	covered := 0
	for i := range maskGrid * maskGrid {
		at := counting.Point{X: (float64(i%maskGrid) + 0.5) / maskGrid, Y: (float64(i/maskGrid) + 0.5) / maskGrid}
		if slices.ContainsFunc(masks, func(m counting.Polygon) bool { return m.Contains(at) }) {
			covered++
		}
	}
	return covered >= int(minMasked*maskGrid*maskGrid)
}

// CheckSite lists all requests of the site that the policy does not allow, in the
// order of the site. It returns nil if there are none.
func (p *Policy) CheckSite(site Site) []Conflict {
	var out []Conflict
	add := func(at, key, format string, args ...any) {
		out = append(out, Conflict{Site: at, Policy: p.LocateKey(key), What: fmt.Sprintf(format, args...), Key: key})
	}
	for _, c := range site.Cameras {
		switch masks := slices.Concat(c.Masks, p.CameraMasks(c.Name)); {
		case !p.MasksRequired():
		case len(masks) == 0:
			add(c.At, "camera.masks_required", "camera %s has no mask: the policy wants at least one", c.Name)
		case !coversEnough(masks):
			add(c.At, "camera.masks_required", "camera %s has masks over less than 0.5 %% of its picture: the policy wants a mask that covers something", c.Name)
		}
		if c.Hours != nil && !p.givesNumbers(c.Hours) {
			add(c.At, "hours.open", "camera %s is open %v (%s): no window of %s gives a number then", c.Name, c.Hours, p.zone, p.terms.Clear.Window)
		}
	}
	for _, s := range site.Streams {
		before := len(out)
		p.checkStream(s, add)
		for i := before; i < len(out); i++ {
			out[i].Streams = []string{s.ID}
		}
	}
	if site.WatermarkAt != "" && !p.AllowsCommand("watermark") {
		add(site.WatermarkAt, "broker.commands", "broker.confirm waits for the command watermark: the policy does not allow it")
	}
	for i, m := range p.terms.Mask {
		if !slices.ContainsFunc(site.Cameras, func(c Camera) bool { return c.Name == m.Camera }) {
			add(site.At, fmt.Sprintf("mask[%d].camera", i), "there is no camera %s: the policy has a mask for it", quoteTOML(m.Camera))
		}
	}
	p.checkAlertStreams(site, add)
	for _, c := range p.SensorCharges(site.Streams) {
		if c.ExceedsLimit() {
			add(c.At, "clear.overlap", "%s", p.describeExcess(c))
			last := &out[len(out)-1]
			last.Streams, last.Class = c.Streams, c.Class
			if !c.mixed {
				last.Limit = c.Limit
			}
		}
	}
	return out
}

func (p *Policy) checkStream(s Stream, add func(at, key, format string, args ...any)) {
	if !p.AllowsKind(s.Kind) {
		hint := ""
		if s.Kind == counting.LineStream && p.FollowMax() == 0 {
			hint = ", as nothing may be followed"
		}
		add(s.At, "count.streams", "stream %s is a %s: the policy allows %s%s", s.ID, nameKind(s.Kind), joinNames(p.terms.Count.Streams), hint)
	}
	var counted [counting.Classes]bool
	for _, c := range s.Classes {
		counted[c] = true
		if !p.AllowsClass(c) {
			add(s.At, "count.classes", "stream %s counts %s: the policy allows %s", s.ID, c, joinNames(p.terms.Count.Classes))
		}
	}
	if err := checkSplit(counted); err != nil {
		add(s.At, "count.classes", "stream %s: %v", s.ID, err)
	}
}

// LocateKey is the position of a key of the policy file, as file:line.
func (p *Policy) LocateKey(key string) string { return p.sheet.Locate(key) }

func joinNames[T fmt.Stringer](vs []T) string {
	names := make([]string, len(vs))
	for i, v := range vs {
		names[i] = v.String()
	}
	return strings.Join(names, ", ")
}

// A Charge is the account of one coarse class at one sensor: the largest
// privacy loss that one object can cause there, by being counted in every
// stream of the sensor. Streams of one sensor must be assumed to overlap. The
// difference of two of them must not reveal more than one of them may.
type Charge struct {
	Sensor  string
	Class   counting.Class // coarse: motorcycle, car and heavy are vehicles
	Streams []string       // the streams that count it
	Epsilon float64        // sum over the streams; 0 without noise
	Limit   int            // number of streams allowed; times the policy's ε it limits Epsilon
	At      string         // position of the last of the streams
	mixed   bool           // without noise: one stream counts the class, another one its parts
}

// ExceedsLimit reports whether the charge is more than the policy allows.
func (c Charge) ExceedsLimit() bool { return len(c.Streams) > c.Limit || c.mixed }

// SensorCharges adds up the charges of every class at every sensor, in the order of
// the streams.
func (p *Policy) SensorCharges(streams []Stream) []Charge {
	var out []Charge
	whole := map[int]counting.Class{}
	for _, s := range streams {
		for _, class := range s.Classes {
			coarse := class.WithoutSplit()
			i := slices.IndexFunc(out, func(c Charge) bool { return c.Sensor == s.Sensor && c.Class == coarse })
			if i < 0 {
				i = len(out)
				out = append(out, Charge{Sensor: s.Sensor, Class: coarse, Limit: p.terms.Clear.Overlap})
				whole[i] = class
			}
			c := &out[i]
			if n := len(c.Streams); n > 0 && c.Streams[n-1] == s.ID {
				continue // the parts of one stream's split are one count
			}
			c.Streams, c.At = append(c.Streams, s.ID), s.At
			c.Epsilon += p.Epsilon()
			c.mixed = c.mixed || p.Method() != Noise && (class == coarse) != (whole[i] == coarse)
		}
	}
	return out
}

func (p *Policy) describeExcess(c Charge) string {
	where := fmt.Sprintf("sensor %s: a %s can be counted in %d streams (%s)", c.Sensor, c.Class, len(c.Streams), strings.Join(c.Streams, ", "))
	switch {
	case c.mixed:
		return where + ", as a whole and in parts: the difference would tell what is withheld"
	case p.Method() == Noise:
		return fmt.Sprintf("%s and so spend ε %.4g: the policy allows %.4g", where, c.Epsilon, p.Epsilon()*float64(c.Limit))
	}
	return fmt.Sprintf("%s: the policy allows %d, because their difference would tell what is withheld", where, c.Limit)
}
