package config

import (
	"cmp"
	"errors"
	"time"

	"kerb/agent/mistake"
	"kerb/agent/state"
	"kerb/agent/week"
	"kerb/counting"
)

// siteFile mirrors site.toml, key by key. The types that end in File are its
// tables.
type siteFile struct {
	Version int64         `toml:"version"`
	Device  deviceFile    `toml:"device"`
	Broker  brokerFile    `toml:"broker"`
	Trust   trustFile     `toml:"trust"`
	Enrol   enrolFile     `toml:"enrol"`
	Camera  []cameraFile  `toml:"camera"`
	Loop    loopsFile     `toml:"loop"`
	Compare []compareFile `toml:"compare"`
	Stream  []labelFile   `toml:"stream"`
	Lamp    lampFile      `toml:"lamp"`
	AP      apFile        `toml:"access_point"`
}

type lampFile struct {
	GPIO      string `toml:"gpio"`
	Chip      string `toml:"chip"`
	ActiveLow bool   `toml:"active_low"`
}

// apFile is the table access_point.
type apFile struct {
	Country string `toml:"country"`
	Always  bool   `toml:"always"`
}

type deviceFile struct {
	Name   string    `toml:"name"`
	Site   string    `toml:"site"`
	Tenant string    `toml:"tenant"`
	State  string    `toml:"state"`
	Floor  day       `toml:"clock_floor"`
	Strict bool      `toml:"strict"`
	Bench  bool      `toml:"bench"`
	Place  placeFile `toml:"place"`
}

// day is a date; its time is the first instant of that day in UTC.
type day struct{ time.Time }

// UnmarshalText accepts YYYY-MM-DD.
func (f *day) UnmarshalText(b []byte) (err error) {
	if f.Time, err = time.Parse(time.DateOnly, string(b)); err != nil {
		return errors.New(`must be a day in quotes, such as "2026-11-01"`)
	}
	return nil
}

type brokerFile struct {
	URL          string `toml:"url"`
	User         string `toml:"user"`
	PasswordFile string `toml:"password_file"`
	CAFile       string `toml:"ca_file"`
	CertFile     string `toml:"cert_file"`
	KeyFile      string `toml:"key_file"`

	ClientID string   `toml:"client_id"`
	ALPN     []string `toml:"alpn"`
	Confirm  duration `toml:"confirm"`
	Newest   bool     `toml:"newest"`
	Pace     duration `toml:"pace"`
	Cap      int      `toml:"cap"`
	Spread   duration `toml:"spread"`
	RetryMin duration `toml:"retry_min"`
	RetryMax duration `toml:"retry_max"`
}

type cameraFile struct {
	Name         string        `toml:"name"`
	Source       string        `toml:"source"`
	Command      []string      `toml:"command"`
	Format       string        `toml:"format"`
	User         string        `toml:"user"`
	PasswordFile string        `toml:"password_file"`
	BasicAuth    bool          `toml:"basic_auth"`
	CAFile       string        `toml:"ca_file"`
	Certificate  string        `toml:"certificate"`
	Transport    string        `toml:"transport"`
	Decoder      string        `toml:"decoder"`
	FPS          float64       `toml:"fps"`
	Every        duration      `toml:"every"`
	Hours        week.Spans    `toml:"hours"`
	Detector     string        `toml:"detector"`
	Model        string        `toml:"model"`
	Lines        []lineFile    `toml:"line"`
	Zones        []zoneFile    `toml:"zone"`
	Masks        []maskFile    `toml:"mask"`
	Heights      []heightFile  `toml:"height"`
	Distance     *distanceFile `toml:"distance"`
}

type lineFile struct {
	ID      string     `toml:"id"`
	From    [2]float64 `toml:"from"`
	To      [2]float64 `toml:"to"`
	Classes []string   `toml:"classes"`
}

type zoneFile struct {
	ID      string       `toml:"id"`
	Polygon [][2]float64 `toml:"polygon"`
	Classes []string     `toml:"classes"`
}

type maskFile struct {
	Polygon [][2]float64 `toml:"polygon"`
}

type heightFile struct {
	Foot   [2]float64 `toml:"foot"`
	Top    [2]float64 `toml:"top"`
	Metres float64    `toml:"metres"`
}

type distanceFile struct {
	From   [2]float64 `toml:"from"`
	To     [2]float64 `toml:"to"`
	Metres float64    `toml:"metres"`
}

// DefaultState is the spool's directory where the file gives none. The packages
// of kerb use it.
const DefaultState = state.DefaultDir

// DefaultSite is where the package puts the site file.
const DefaultSite = "/etc/kerb/site.toml"

// DefaultPolicy is where the package puts the policy.
const DefaultPolicy = "/etc/kerb/policy.toml"

// toSite makes the values of a checked file, with defaults and absolute paths.
func (f siteFile) toSite(name string, sheet *mistake.Sheet) *Site {
	s := &Site{Version: f.Version, file: name, sheet: sheet}
	d := f.Device
	s.Device = Device{
		Name: resolveName(d.Name), Site: d.Site, Tenant: d.Tenant,
		Place: Place(d.Place),
		State: resolvePath(s.Dir(), cmp.Or(d.State, DefaultState)), ClockFloor: d.Floor.Time, Strict: d.Strict, Bench: d.Bench,
	}
	s.Broker = f.toBroker(s.Dir(), func(key string) bool { return sheet != nil && sheet.HasKey(key) })
	s.setEnrol(f.Enrol)
	for _, c := range f.Camera {
		v := c.toCamera()
		v.PasswordFile, v.CAFile = resolveSecret(s.Dir(), c.PasswordFile), resolvePath(s.Dir(), c.CAFile)
		v.Model, v.ModelSum = s.resolveModel(c.Model)
		s.Cameras = append(s.Cameras, v)
	}
	s.Loops = f.Loop.toLoops()
	for _, l := range f.Stream {
		if s.Labels == nil {
			s.Labels = map[string]Label{}
		}
		s.Labels[l.ID] = l.toLabel()
		s.labelOrder = append(s.labelOrder, l.ID)
	}
	s.Lamp, s.AccessPoint = Lamp(f.Lamp), AccessPoint(f.AP)
	for _, c := range f.Compare {
		s.Comparisons = append(s.Comparisons, c.toCompare())
	}
	return s
}

func (c cameraFile) toCamera() Camera {
	v := Camera{Name: c.Name, User: c.User, BasicAuth: c.BasicAuth, FPS: c.FPS, Detector: cmp.Or(c.Detector, "auto")}
	v.Certificate, v.Hours = parseFingerprint(c.Certificate), c.Hours
	for _, l := range c.Lines {
		v.Lines = append(v.Lines, Line{counting.Line{ID: l.ID, From: toPoint(l.From), To: toPoint(l.To)}, parseClasses(l.Classes)})
	}
	for _, z := range c.Zones {
		v.Zones = append(v.Zones, Zone{counting.Zone{ID: z.ID, Polygon: toPolygon(z.Polygon)}, parseClasses(z.Classes)})
	}
	for _, m := range c.Masks {
		v.Masks = append(v.Masks, toPolygon(m.Polygon))
	}
	for _, h := range c.Heights {
		v.Heights = append(v.Heights, counting.Height{Foot: toPoint(h.Foot), Top: toPoint(h.Top), Metres: h.Metres})
	}
	if d := c.Distance; d != nil {
		v.Distance = &counting.Distance{From: toPoint(d.From), To: toPoint(d.To), Metres: d.Metres}
	}
	return v
}

func toPoint(p [2]float64) counting.Point { return counting.Point{X: p[0], Y: p[1]} }

func toPolygon(ps [][2]float64) (g counting.Polygon) {
	for _, p := range ps {
		g = append(g, toPoint(p))
	}
	return g
}
