package config

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"kerb/agent/mistake"
	"kerb/agent/week"
	"kerb/counting"
)

// file is site.toml as it is written.
type file struct {
	Device  device    `toml:"device"`
	Broker  broker    `toml:"broker"`
	Trust   trust     `toml:"trust"`
	Camera  []camera  `toml:"camera"`
	Loop    loops     `toml:"loop"`
	Compare []compare `toml:"compare"`
	Lamp    lampFile  `toml:"lamp"`
}

type lampFile struct {
	GPIO      string `toml:"gpio"`
	Chip      string `toml:"chip"`
	ActiveLow bool   `toml:"active_low"`
}

type device struct {
	Name   string `toml:"name"`
	Site   string `toml:"site"`
	Tenant string `toml:"tenant"`
	State  string `toml:"state"`
	Floor  floor  `toml:"clock_floor"`
	Strict bool   `toml:"strict"`
	Place  struct {
		Lat         float64 `toml:"lat"`
		Lon         float64 `toml:"lon"`
		Description string  `toml:"description"`
	} `toml:"place"`
}

// floor is a day, from its first instant in UTC.
type floor struct{ time.Time }

func (f *floor) UnmarshalText(b []byte) (err error) {
	if f.Time, err = time.Parse(time.DateOnly, string(b)); err != nil {
		return errors.New(`must be a day in quotes, such as "2026-11-01"`)
	}
	return nil
}

type broker struct {
	URL          string `toml:"url"`
	User         string `toml:"user"`
	PasswordFile string `toml:"password_file"`
	CAFile       string `toml:"ca_file"`
	CertFile     string `toml:"cert_file"`
	KeyFile      string `toml:"key_file"`
}

type camera struct {
	Name         string      `toml:"name"`
	Source       string      `toml:"source"`
	Command      []string    `toml:"command"`
	Format       string      `toml:"format"`
	User         string      `toml:"user"`
	PasswordFile string      `toml:"password_file"`
	CAFile       string      `toml:"ca_file"`
	Certificate  string      `toml:"certificate"`
	Transport    string      `toml:"transport"`
	FPS          float64     `toml:"fps"`
	Every        wait        `toml:"every"`
	Hours        week.Shifts `toml:"hours"`
	Detector     string      `toml:"detector"`
	Model        string      `toml:"model"`
	Lines        []line      `toml:"line"`
	Zones        []zone      `toml:"zone"`
	Masks        []mask      `toml:"mask"`
	Heights      []height    `toml:"height"`
}

type line struct {
	ID      string     `toml:"id"`
	From    [2]float64 `toml:"from"`
	To      [2]float64 `toml:"to"`
	Classes []string   `toml:"classes"`
}

type zone struct {
	ID      string       `toml:"id"`
	Polygon [][2]float64 `toml:"polygon"`
	Classes []string     `toml:"classes"`
}

type mask struct {
	Polygon [][2]float64 `toml:"polygon"`
}

type height struct {
	Foot   [2]float64 `toml:"foot"`
	Top    [2]float64 `toml:"top"`
	Metres float64    `toml:"metres"`
}

// DefaultState is where a packaged kerb keeps its spool.
const DefaultState = "/var/lib/kerb"

// site is the checked file as values.
func (f file) site(name string, sheet *mistake.Sheet) *Site {
	s := &Site{file: name, sheet: sheet}
	d := f.Device
	s.Device = Device{
		Name: d.Name, Site: d.Site, Tenant: d.Tenant,
		Place: Place{d.Place.Lat, d.Place.Lon, d.Place.Description},
		State: resolve(s.Dir(), cmp.Or(d.State, DefaultState)), ClockFloor: d.Floor.Time, Strict: d.Strict,
	}
	b := f.Broker
	s.Broker = Broker{
		URL: b.URL, User: b.User, PasswordFile: secret(s.Dir(), b.PasswordFile),
		CAFile: resolve(s.Dir(), b.CAFile), CertFile: resolve(s.Dir(), b.CertFile), KeyFile: secret(s.Dir(), b.KeyFile),
	}
	for _, c := range f.Camera {
		v := c.values()
		v.PasswordFile, v.CAFile = secret(s.Dir(), c.PasswordFile), resolve(s.Dir(), c.CAFile)
		v.Model, v.ModelSum = s.model(c.Model)
		if !strings.Contains(c.Source, ":") {
			v.Source = resolve(s.Dir(), c.Source)
		}
		s.Cameras = append(s.Cameras, v)
	}
	s.Loops = f.Loop.values()
	s.Lamp = Lamp(f.Lamp)
	for _, c := range f.Compare {
		s.Compare = append(s.Compare, c.values())
	}
	return s
}

func (c camera) values() Camera {
	v := Camera{Name: c.Name, Source: c.Source, User: c.User, FPS: c.FPS, Detector: cmp.Or(c.Detector, "auto")}
	v.Command, v.Format, v.Certificate = c.Command, c.Format, fingerprint(c.Certificate)
	v.UDP, v.Asked, v.Hours = c.Transport == "udp", c.Every.Duration, c.Hours
	for _, l := range c.Lines {
		v.Lines = append(v.Lines, Line{counting.Line{ID: l.ID, From: point(l.From), To: point(l.To)}, classes(l.Classes)})
	}
	for _, z := range c.Zones {
		v.Zones = append(v.Zones, Zone{counting.Zone{ID: z.ID, Polygon: polygon(z.Polygon)}, classes(z.Classes)})
	}
	for _, m := range c.Masks {
		v.Masks = append(v.Masks, polygon(m.Polygon))
	}
	for _, h := range c.Heights {
		v.Heights = append(v.Heights, counting.Height{Foot: point(h.Foot), Top: point(h.Top), Metres: h.Metres})
	}
	return v
}

// classes are the named ones; all coarse ones when none is named.
func classes(names []string) (cs []counting.Class) {
	for _, n := range names {
		if c, err := counting.ParseClass(n); err == nil {
			cs = append(cs, c)
		}
	}
	if len(cs) == 0 {
		return []counting.Class{counting.Person, counting.Bicycle, counting.Vehicle}
	}
	return cs
}

func point(p [2]float64) counting.Point { return counting.Point{X: p[0], Y: p[1]} }

func polygon(ps [][2]float64) (g counting.Polygon) {
	for _, p := range ps {
		g = append(g, point(p))
	}
	return g
}
