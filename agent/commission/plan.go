package commission

import (
	"errors"
	"fmt"

	"kerb/agent/aim"
	"kerb/agent/config"
	"kerb/counting"
)

// toDrawing converts a plan of the page to a drawing of site.toml; toPlan is the
// inverse. An unknown class, and a line or zone without classes, are errors.
func toDrawing(p aim.Plan) (d config.Drawing, err error) {
	classes := func(names []string) (cs []counting.Class) {
		for _, n := range names {
			c, bad := counting.ParseClass(n)
			err = errors.Join(err, bad)
			cs = append(cs, c)
		}
		return cs
	}
	at := func(p aim.Point) counting.Point { return counting.Point{X: p[0], Y: p[1]} }
	area := func(ps []aim.Point) (g counting.Polygon) {
		for _, p := range ps {
			g = append(g, at(p))
		}
		return g
	}
	for _, l := range p.Lines {
		d.Lines = append(d.Lines, config.Line{Line: counting.Line{ID: l.ID, From: at(l.From), To: at(l.To)}, Classes: classes(l.Classes)})
		if len(l.Classes) == 0 {
			err = errors.Join(err, fmt.Errorf("line %s counts nothing: choose what it counts", l.ID))
		}
	}
	for _, z := range p.Zones {
		d.Zones = append(d.Zones, config.Zone{Zone: counting.Zone{ID: z.ID, Polygon: area(z.Polygon)}, Classes: classes(z.Classes)})
		if len(z.Classes) == 0 {
			err = errors.Join(err, fmt.Errorf("zone %s counts nothing: choose what it counts", z.ID))
		}
	}
	for _, m := range p.Masks {
		d.Masks = append(d.Masks, area(m.Polygon))
	}
	for _, h := range p.Heights {
		d.Heights = append(d.Heights, counting.Height{Foot: at(h.Foot), Top: at(h.Top), Metres: h.Metres})
	}
	return d, err
}

// toPlan converts a drawing of site.toml to a plan of the page.
func toPlan(d config.Drawing) aim.Plan {
	p := aim.Plan{Lines: []aim.Line{}, Zones: []aim.Zone{}, Masks: []aim.Mask{}, Heights: []aim.Height{}}
	names := func(cs []counting.Class) (out []string) {
		for _, c := range cs {
			out = append(out, c.String())
		}
		return out
	}
	at := func(p counting.Point) aim.Point { return aim.Point{p.X, p.Y} }
	area := func(g counting.Polygon) (ps []aim.Point) {
		for _, p := range g {
			ps = append(ps, at(p))
		}
		return ps
	}
	for _, l := range d.Lines {
		p.Lines = append(p.Lines, aim.Line{ID: l.ID, From: at(l.From), To: at(l.To), Classes: names(l.Classes)})
	}
	for _, z := range d.Zones {
		p.Zones = append(p.Zones, aim.Zone{ID: z.ID, Polygon: area(z.Polygon), Classes: names(z.Classes)})
	}
	for _, m := range d.Masks {
		p.Masks = append(p.Masks, aim.Mask{Polygon: area(m)})
	}
	for _, h := range d.Heights {
		p.Heights = append(p.Heights, aim.Height{Foot: at(h.Foot), Top: at(h.Top), Metres: h.Metres})
	}
	return p
}
