package config

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"kerb/agent/mistake"
	"kerb/counting"
)

// checker adds what is wrong with well-formed values to the sheet.
type checker struct {
	*mistake.Sheet
	ids map[string]string // stream → its key, for doubles
	dir string

	shelves []string // where networks lie that are named by their hash
}

var level = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

const levelRule = "must be 1–32 of a–z, 0–9, _ and -"

func (c checker) name(key, value string) {
	if !level.MatchString(value) {
		hint := "it is a level of the MQTT topic"
		if s := slug(value); s != "" && s != value {
			hint += ": try " + s
		}
		c.Wrong(key, levelRule, hint)
	}
}

// slug is the nearest allowed name.
func slug(s string) string {
	s = regexp.MustCompile(`[^a-z0-9_]+`).ReplaceAllString(strings.ToLower(s), "-")
	s = strings.Trim(s, "-")
	return s[:min(len(s), 32)]
}

func (c checker) device(d device) {
	c.name("device.name", d.Name)
	c.name("device.site", d.Site)
	c.name("device.tenant", d.Tenant)
	if outside(d.Place.Lat, -90, 90) {
		c.Wrong("device.place.lat", "must be -90–90 degrees", "")
	}
	if outside(d.Place.Lon, -180, 180) {
		c.Wrong("device.place.lon", "must be -180–180 degrees", "")
	}
}

func (c checker) broker(b broker) {
	if b.URL == "" {
		c.Wrong("broker.url", "is missing", `for example url = "mqtts://broker.example:8883"`)
		return
	}
	u, err := url.Parse(b.URL)
	switch {
	case strings.Contains(b.URL, "@"):
		c.WrongSecret("broker.url", "must not hold a user or password", "use broker.user and broker.password_file")
	case err != nil || u.Hostname() == "":
		c.Wrong("broker.url", "must be a URL with a host", `for example "mqtts://broker.example:8883"`)
	case !port(u.Port()):
		c.Wrong("broker.url", "must have a port of 1–65535", "leave it out for the usual one")
	case !strings.Contains(" mqtt mqtts ws wss ", " "+u.Scheme+" "):
		c.Wrong("broker.url", "must start with mqtt://, mqtts://, ws:// or wss://", "")
	case u.Scheme == "mqtt" && b.PasswordFile != "" && !local(u.Hostname()):
		c.Wrong("broker.url", "must be mqtts:// when a password is sent to another machine", "mqtt:// would send it in the clear")
	}
	c.brokerFiles(b)
}

func (c checker) brokerFiles(b broker) {
	if (b.CertFile == "") != (b.KeyFile == "") {
		c.Wrong("broker.cert_file", "must come together with broker.key_file", "")
	}
	c.file("broker.password_file", b.PasswordFile)
	c.file("broker.ca_file", b.CAFile)
	if pem, err := os.ReadFile(resolve(c.dir, b.CAFile)); err == nil && !x509.NewCertPool().AppendCertsFromPEM(pem) {
		c.Wrong("broker.ca_file", "must hold certificates in PEM", "it begins with -----BEGIN CERTIFICATE-----")
	}
	c.file("broker.cert_file", b.CertFile)
	c.file("broker.key_file", b.KeyFile)
}

func (c checker) file(key, path string) {
	if path == "" {
		return
	}
	path = secret(c.dir, path)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		c.Wrong(key, "must be a file that can be read", "looked for "+path)
	}
}

func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func port(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && n > 0
}

// outside is true for what is no number, too.
func outside(v, least, most float64) bool { return !(v >= least && v <= most) }

func (c checker) cameras(cams []camera) {
	if len(cams) == 0 && !c.Has("loop") && !c.Has("loop.lane[0]") {
		c.Wrong("camera", "is missing: there is nothing to count with", "add a [[camera]] with a source and a line, or a [loop]")
	}
	seen := map[string]bool{}
	for i, cam := range cams {
		key := fmt.Sprintf("camera[%d]", i)
		c.name(key+".name", cam.Name)
		if seen[cam.Name] {
			c.Wrong(key+".name", "must be unique", "another camera has it")
		}
		seen[cam.Name] = true
		c.camera(key, cam)
	}
}

func (c checker) camera(key string, cam camera) {
	c.source(key, cam)
	if c.Has(key+".fps") && outside(cam.FPS, 1, 30) {
		c.Wrong(key+".fps", "must be 1–30", "leave it out to look at every picture")
	}
	if c.Has(key+".hours") && len(cam.Hours) == 0 {
		c.Wrong(key+".hours", "must name when the camera is open", `for example ["Mon-Fri 07:00-19:00"]; leave it out for always`)
	}
	c.detector(key, cam)
	if len(cam.Lines)+len(cam.Zones) == 0 {
		c.Wrong(key+".line", "is missing: nothing is counted in this picture", "add a [[camera.line]] or [[camera.zone]]")
	}
	for i, l := range cam.Lines {
		c.line(fmt.Sprintf("%s.line[%d]", key, i), l)
	}
	for i, z := range cam.Zones {
		k := fmt.Sprintf("%s.zone[%d]", key, i)
		c.stream(k, z.ID, z.Classes)
		c.polygon(k+".polygon", z.Polygon)
	}
	for i, m := range cam.Masks {
		c.polygon(fmt.Sprintf("%s.mask[%d].polygon", key, i), m.Polygon)
	}
	c.heights(key, cam.Heights)
}

func (c checker) detector(key string, cam camera) {
	switch cam.Detector {
	case "motion":
		if cam.Model != "" {
			c.Wrong(key+".model", "must not come together with detector = \"motion\"", "motion needs no model")
		}
	case "", "auto", "neural":
		if cam.Model != "" {
			c.model(key+".model", cam.Model)
		}
	default:
		c.Wrong(key+".detector", "must be auto, neural or motion", "leave it out for auto")
	}
}

func (c checker) stream(key, id string, classes []string) {
	c.name(key+".id", id)
	if other := c.ids[id]; other != "" {
		c.Wrong(key+".id", "must be unique on the device", "it is also at "+c.At(other))
	}
	c.ids[id] = key + ".id"
	split, whole := false, false
	for _, name := range classes {
		class, err := counting.ParseClass(name)
		if err != nil {
			c.Wrong(key+".classes", err.Error(), "")
			return
		}
		whole = whole || class == counting.Vehicle
		split = split || class.Coarse() != class
	}
	if whole && split {
		c.Wrong(key+".classes", "must name vehicle or its parts, not both", "one car would count twice")
	}
}

func (c checker) line(key string, l line) {
	c.stream(key, l.ID, l.Classes)
	for _, end := range []string{"from", "to"} {
		if !c.Has(key + "." + end) {
			c.Wrong(key+"."+end, "is missing", "x and y from 0 (left, top) to 1 (right, bottom): "+end+" = [0.1, 0.5]")
			return
		}
	}
	c.inside(key+".from", l.From)
	c.inside(key+".to", l.To)
	if l.From == l.To {
		c.Wrong(key+".to", "must differ from from", "a line has a length")
	}
}

func (c checker) inside(key string, p [2]float64) {
	for _, v := range p {
		if !(v >= 0 && v <= 1) {
			c.Wrong(key, "must lie in the picture: x and y are 0–1", "for pixels, divide x by the width and y by the height")
			return
		}
	}
}

func (c checker) polygon(key string, g [][2]float64) {
	if len(g) < 3 || len(g) > 32 {
		c.Wrong(key, "must have 3–32 corners", "for example [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]")
		return
	}
	for _, p := range g {
		c.inside(key, p)
	}
}

func (c checker) heights(key string, hs []height) {
	if len(hs) == 1 || len(hs) > 2 {
		c.Wrong(key+".height", "must be two, or none", "measure two upright things at different distances, or leave it to kerb")
	}
	for i, h := range hs {
		k := fmt.Sprintf("%s.height[%d]", key, i)
		c.inside(k+".foot", h.Foot)
		c.inside(k+".top", h.Top)
		if outside(h.Metres, 0.5, 20) {
			c.Wrong(k+".metres", "must be 0.5–20", "")
		}
		if h.Top[1] >= h.Foot[1] {
			c.Wrong(k+".top", "must be above foot", "y grows downwards")
		}
	}
	if len(hs) == 2 && hs[0].Foot[1] == hs[1].Foot[1] {
		c.Wrong(key+".height[1].foot", "must be nearer or farther than the first", "two heights at one distance give no perspective")
	}
}
