package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kerb/agent/week"
	"kerb/counting"
)

// terms mirrors policy.toml, key by key. Every key is in the canonical form, in
// this order, and in policyKeys.
type terms struct {
	Schema     string     `toml:"schema"`
	Version    int64      `toml:"version"`
	Title      string     `toml:"title"`
	Purpose    Purpose    `toml:"purpose"`
	Controller controller `toml:"controller"`
	Count      count      `toml:"count"`
	Camera     camera     `toml:"camera"`
	Mask       []mask     `toml:"mask"`
	Hours      hours      `toml:"hours"`
	Clear      clearing   `toml:"clear"`
	Keep       keep       `toml:"keep"`
	Aim        aim        `toml:"aim"`
	Status     status     `toml:"status"`
	Broker     broker     `toml:"broker"`
	Alert      []alert    `toml:"alert"`
}

type controller struct {
	Name    string `toml:"name"`
	Contact string `toml:"contact"`
}

type count struct {
	Streams []kind  `toml:"streams"`
	Classes []class `toml:"classes"`

	Quantities []quantity `toml:"quantities"`
}

type camera struct {
	Pixels        pixels   `toml:"pixels"`
	FollowMax     duration `toml:"follow_max"`
	MasksRequired bool     `toml:"masks_required"`
}

type mask struct {
	Camera string       `toml:"camera"`
	Area   [][2]float64 `toml:"area"`
}

func (m mask) toPolygon() counting.Polygon {
	g := make(counting.Polygon, len(m.Area))
	for i, p := range m.Area {
		g[i] = counting.Point{X: p[0], Y: p[1]}
	}
	return g
}

type hours struct {
	Open     week.Spans `toml:"open"`
	Timezone string     `toml:"timezone"`
}

type clearing struct {
	Window  duration `toml:"window"`
	Method  Method   `toml:"method"`
	Epsilon float64  `toml:"epsilon"`
	Below   int      `toml:"below"`
	Round   int      `toml:"round"`
	Totals  bool     `toml:"totals"`
	Bands   []int    `toml:"bands"`
	Overlap int      `toml:"overlap"`
}

type keep struct {
	Retention duration `toml:"retention"`
}

type aim struct {
	Show    Show     `toml:"show"`
	Session duration `toml:"session"`
}

type status struct {
	Page bool `toml:"page"`
}

type broker struct {
	Commands []Command `toml:"commands"`
}

// defaultTerms are the values of keys that a file may leave out. Each is the
// strictest possible one, except the hours, which a reviewer narrows
// explicitly, and the status page, which every policy allowed before it had a key.
func defaultTerms() terms {
	return terms{
		Camera: camera{Pixels: pixels{640, 480}},
		Hours:  hours{Open: week.Spans{{First: 0, Last: 6, From: 0, To: 24 * 60}}, Timezone: "UTC"},
		Clear:  clearing{Round: 1, Overlap: 1},
		Aim:    aim{Show: ShowNothing},
		Status: status{Page: true},
	}
}

// sortSets puts lists whose order has no meaning into their canonical order.
func (t *terms) sortSets() {
	slices.Sort(t.Count.Streams)
	slices.Sort(t.Count.Classes)
	slices.Sort(t.Count.Quantities)
	slices.Sort(t.Broker.Commands)
	slices.SortFunc(t.Hours.Open, func(a, b week.Span) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.From, b.From),
			cmp.Compare(a.Last, b.Last), cmp.Compare(a.To, b.To))
	})
}

// Purpose is the use of the numbers.
type Purpose string

// The purposes. Operational numbers steer something now, so they are
// answerable in a stricter way: they need a second signature.
const (
	Statistical   Purpose = "statistical"
	Operational   Purpose = "operational"
	demonstration Purpose = "demonstration" // compiled in, never in a file
)

// UnmarshalText accepts the purposes that a file may name.
func (p *Purpose) UnmarshalText(b []byte) error { return parseOneOf(p, b, Statistical, Operational) }

// Method is the method by which counts are cleared.
type Method string

// The methods.
const (
	Noise    Method = "noise"    // exact discrete Laplace noise, drawn once
	Suppress Method = "suppress" // small counts withheld, others rounded
	Bands    Method = "bands"    // zones only: the band that contains the mean occupancy
)

// UnmarshalText accepts the names of the methods.
func (m *Method) UnmarshalText(b []byte) error { return parseOneOf(m, b, Noise, Suppress, Bands) }

// Show is the content that the commissioning page may show of a picture.
type Show string

// The contents. There is no value that shows a picture.
const (
	ShowNothing     Show = "nothing"
	ShowSilhouettes Show = "silhouettes" // flat shapes of moving objects
)

// UnmarshalText accepts the names of the contents.
func (v *Show) UnmarshalText(b []byte) error { return parseOneOf(v, b, ShowNothing, ShowSilhouettes) }

// Command is a verb that the broker may send.
type Command string

// The closed set of commands.
const (
	Resend    Command = "resend"    // send a range of windows again, byte for byte
	Watermark Command = "watermark" // delete windows that the platform confirms
	Want      Command = "want"      // take another policy or site.toml, by signature
)

// UnmarshalText accepts the names of the commands.
func (c *Command) UnmarshalText(b []byte) error { return parseOneOf(c, b, Resend, Watermark, Want) }

// parseOneOf sets v to b if it is one of the allowed values.
func parseOneOf[T ~string](v *T, b []byte, allowed ...T) error {
	if !slices.Contains(allowed, T(b)) {
		names := make([]string, len(allowed))
		for i, a := range allowed {
			names[i] = string(a)
		}
		return errors.New("must be one of " + strings.Join(names, ", "))
	}
	*v = T(b)
	return nil
}

type class counting.Class

// UnmarshalText accepts the names of the classes.
func (c *class) UnmarshalText(b []byte) error {
	v, err := counting.ParseClass(string(b))
	*c = class(v)
	return err
}

// String is the name of the class.
func (c class) String() string { return counting.Class(c).String() }

// classList is the list of all classes of package counting, in the order of
// the wire, in a form that is both TOML and JSON.
func classList() string {
	names := make([]string, counting.Classes)
	for c := range names {
		names[c] = quoteTOML(counting.Class(c).String())
	}
	return "[" + strings.Join(names, ", ") + "]"
}

type kind counting.Kind

// UnmarshalText accepts the names of the kinds of streams.
func (k *kind) UnmarshalText(b []byte) error {
	for v := counting.LineStream; v <= counting.LoopStream; v++ {
		if v.String() == string(b) {
			*k = kind(v)
			return nil
		}
	}
	return errors.New("must be one of line, zone, loop")
}

// String is the name of the kind.
func (k kind) String() string { return counting.Kind(k).String() }

// duration is a time in whole seconds.
type duration time.Duration

// UnmarshalText accepts a Go duration of whole seconds, not negative.
func (l *duration) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil || d < 0 || d%time.Second != 0 {
		return errors.New(`must be whole seconds, such as "90s", "15m" or "1h"`)
	}
	*l = duration(d)
	return nil
}

// String is the shortest form that UnmarshalText accepts, such as 15m.
func (l duration) String() string {
	s := time.Duration(l).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// pixels is the size of a picture.
type pixels struct{ w, h int }

// Area is the number of pixels.
func (p pixels) Area() int { return p.w * p.h }

// UnmarshalText accepts WIDTHxHEIGHT, each 1–32768.
func (p *pixels) UnmarshalText(b []byte) error {
	var v pixels
	if n, err := fmt.Sscanf(string(b), "%dx%d", &v.w, &v.h); n != 2 || err != nil || v.String() != string(b) ||
		v.w < 1 || v.h < 1 || v.w > 1<<15 || v.h > 1<<15 {
		return errors.New(`must be a width and a height, such as "640x480"`)
	}
	*p = v
	return nil
}

// String is the size as WIDTHxHEIGHT.
func (p pixels) String() string { return fmt.Sprintf("%dx%d", p.w, p.h) }
