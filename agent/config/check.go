package config

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"kerb/agent/mistake"
	"kerb/counting"
)

// checker adds mistakes in well-formed values to the sheet.
type checker struct {
	*mistake.Sheet
	ids map[string]string // stream → its key, to find doubles
	dir string

	modelDirs []string // directories of networks that are named by their hash
	elsewhere bool     // the file is for another machine: files that it names are not looked for
}

// namePattern is the form of a topic level and so of every name in the file.
var namePattern = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

const nameRule = "must be 1–32 of a–z, 0–9, _ and -"

func (c checker) checkName(key, value string) {
	if !namePattern.MatchString(value) {
		if value == "" && !c.HasKey(key) {
			c.Reject(key, "is missing", `a name of your own, such as "pole-7": `+nameRule[len("must be "):])
			return
		}
		hint := "it is a level of the MQTT topic"
		if s := suggestName(value); s != "" && s != value {
			hint += ": try " + s
		}
		c.Reject(key, nameRule, hint)
	}
}

// suggestName turns s into an allowed name: lower case, letters as in transliterate,
// and - for other characters.
func suggestName(s string) string {
	s = regexp.MustCompile(`[^a-z0-9_]+`).ReplaceAllString(transliterate(s), "-")
	s = strings.Trim(s, "-")
	return s[:min(len(s), maxName)]
}

func (c checker) checkDevice(d deviceFile) {
	c.checkName("device.name", d.Name)
	if _, err := readSerial(); d.Name == SerialName && !c.elsewhere && err != nil {
		c.Reject("device.name", "must be written out: this board tells no serial number", err.Error())
	}
	c.checkName("device.site", d.Site)
	c.checkName("device.tenant", d.Tenant)
	if info, err := os.Stat(resolvePath(c.dir, d.State)); d.State != "" && !c.elsewhere && err == nil && !info.IsDir() {
		c.Reject("device.state", "must be a directory", "leave it out for "+DefaultState)
	}
	c.checkPlace("device.place", d.Place)
}

// countryPattern is the form of a country code of ISO 3166-1.
var countryPattern = regexp.MustCompile(`^[A-Z]{2}$`)

func (c checker) checkAccessPoint(a apFile) {
	if (c.HasKey("access_point.country") || a.Always) && !countryPattern.MatchString(a.Country) {
		c.Reject("access_point.country", "must be the two capital letters of a country", `where the device stands, such as "FI": the rules of the radio depend on it`)
	}
}

func (c checker) checkBroker(b brokerFile) {
	if b.URL == "" {
		c.Reject("broker.url", "is missing", `for example url = "mqtts://broker.example:8883"`)
		return
	}
	c.checkVerbatim("broker.url", b.URL)
	u, err := url.Parse(strings.TrimSpace(b.URL))
	switch {
	case strings.Contains(b.URL, "@"):
		c.RejectSecret("broker.url", "must not hold a user or password", "use broker.user and broker.password_file")
	case hasBareIPv6(b.URL):
		c.Reject("broker.url", "must have an IPv6 address in brackets", bracketHint)
	case looksLikeAddress(b.URL):
		c.Reject("broker.url", "must begin with a scheme", "mqtt://"+b.URL+", or with TLS mqtts://")
	case err != nil || u.Hostname() == "":
		c.Reject("broker.url", "must be a URL with a host", `for example "mqtts://broker.example:8883"`)
	case !isHost(u.Hostname()):
		c.Reject("broker.url", hostRule, hostHint)
	case !isPort(u.Port()):
		c.Reject("broker.url", "must have a port of 1–65535", "leave it out for the usual one")
	case !strings.Contains(" mqtt mqtts ws wss ", " "+u.Scheme+" "):
		c.Reject("broker.url", "must start with mqtt://, mqtts://, ws:// or wss://", "tcp:// is mqtt://, and ssl:// is mqtts://")
	case (u.Scheme == "mqtt" || u.Scheme == "ws") && b.PasswordFile != "" && !isLoopback(u.Hostname()):
		c.Reject("broker.url", "must be "+u.Scheme+"s:// when a password is sent to another machine", u.Scheme+":// would send it in the clear")
	}
	if err == nil && (u.Scheme == "mqtt" || u.Scheme == "mqtts") && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "") {
		c.Reject("broker.url", "must end after the host and its port", "a path belongs to ws:// and wss:// only; topics come from name, site and tenant")
	}
	if err == nil && portAfterPath.MatchString(u.Path) {
		c.Reject("broker.url", "must have the port before the path", "for example ws://broker.example:8083/mqtt")
	}
	if err == nil && (u.Scheme == "mqtt" || u.Scheme == "ws") && b.CAFile+b.CertFile+b.KeyFile != "" {
		c.Reject("broker.url", "must be mqtts:// or wss:// beside ca_file, cert_file or key_file", u.Scheme+":// would send everything in the clear")
	}
	c.checkVerbatim("broker.user", b.User)
	c.checkBrokerFiles(b)
	c.checkSending(b)
}

func (c checker) checkBrokerFiles(b brokerFile) {
	if (b.CertFile == "") != (b.KeyFile == "") {
		c.Reject("broker.cert_file", "must come together with broker.key_file", "")
	}
	c.checkFile("broker.password_file", b.PasswordFile)
	c.checkFile("broker.ca_file", b.CAFile)
	if pem, err := os.ReadFile(resolvePath(c.dir, b.CAFile)); !c.elsewhere && err == nil && !x509.NewCertPool().AppendCertsFromPEM(pem) {
		c.Reject("broker.ca_file", "must hold certificates in PEM", "it begins with -----BEGIN CERTIFICATE-----")
	}
	c.checkFile("broker.cert_file", b.CertFile)
	c.checkFile("broker.key_file", b.KeyFile)
	c.checkPassword("broker.password_file", b.PasswordFile)
	c.checkPEM("broker.cert_file", b.CertFile, certificatePEM)
	c.checkPEM("broker.key_file", b.KeyFile, keyPEM)
	c.checkPEM("broker.ca_file", b.CAFile, certificatePEM)
}

func (c checker) checkFile(key, path string) {
	if path == "" {
		return
	}
	c.checkVerbatim(key, path)
	if c.elsewhere {
		return
	}
	named := path
	path = resolveSecret(c.dir, path)
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return
	}
	switch credential := strings.HasPrefix(named, credentialPrefix); {
	case credential && os.Getenv(credentialsDir) == "":
		c.Reject(key, "must be a file that can be read", "systemd has set no "+credentialsDir+": is LoadCredential= in the service, and kerb started by it?")
	case strings.HasSuffix(key, ".password_file") && !credential && !filepath.IsAbs(named): // it may be the password itself
		c.RejectSecret(key, "must be a file that can be read", "it names a file that holds the password; looked in "+c.dir)
	default:
		c.Reject(key, "must be a file that can be read", "looked for "+path)
	}
}

// isLoopbackURL reports whether the host of a URL is this machine.
func isLoopbackURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && isLoopback(u.Hostname())
}

// portAfterPath is a port that was written behind the path.
var portAfterPath = regexp.MustCompile(`:[0-9]{2,5}/?$`)

// isLoopback reports whether host is this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// What a host must be, and the usual slip.
const (
	hostRule = "must have a host name or an IP address behind ://"
	hostHint = "an IPv4 address has four numbers of 0–255, a name letters, digits and -"
)

// isHost reports whether host is an IP address or can be a name: labels of letters,
// digits, - and _, the last of which is no number (WHATWG URL, 4.1: it would be an IPv4
// address) and, behind three numbers, no placeholder such as x.
func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := labels[len(labels)-1]
	for _, label := range labels {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
		}) {
			return false
		}
	}
	isNumber := func(s string) bool { _, err := strconv.ParseUint(s, 10, 64); return err == nil }
	numbers := len(labels) > 3 && isNumber(labels[0]) && isNumber(labels[1]) && isNumber(labels[2])
	return !isNumber(last) && !(numbers && len(last) == 1)
}

// isPort reports whether s is a port of 1–65535, or empty.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && n > 0
}

// isOutside reports whether v is outside least…most. NaN is outside.
func isOutside(v, least, most float64) bool { return !(v >= least && v <= most) }

// checkCameras checks all cameras and returns their sources.
func (c checker) checkCameras(cams []cameraFile) (sources []Source) {
	if len(cams) == 0 && !c.HasKey("loop") && !c.HasKey("loop.lane[0]") {
		c.Reject("camera", "is missing: there is nothing to count with", "add a [[camera]] with a source and a line, or a [loop]")
	}
	seen, devices := map[string]bool{}, map[string]string{}
	for i, cam := range cams {
		key := fmt.Sprintf("camera[%d]", i)
		c.checkName(key+".name", cam.Name)
		if seen[cam.Name] {
			c.Reject(key+".name", "must be unique", "another camera has it")
		}
		seen[cam.Name] = true
		if other := devices[cam.Source]; other != "" && strings.HasPrefix(cam.Source, devicePrefix) {
			c.Reject(key+".source", "must be another device than "+other, "one process alone can read a device: put all lines and zones under one [[camera]]")
		}
		devices[cam.Source] = key + ".source"
		sources = append(sources, c.checkCamera(key, cam))
	}
	return sources
}

// checkCamera checks one camera and returns its source.
func (c checker) checkCamera(key string, cam cameraFile) Source {
	src := c.checkSource(key, cam)
	if c.HasKey(key+".fps") && isOutside(cam.FPS, minFPS, maxFPS) {
		c.Reject(key+".fps", "must be 1–30", "leave it out to look at every picture")
	}
	if c.HasKey(key+".hours") && len(cam.Hours) == 0 {
		c.Reject(key+".hours", "must name when the camera is open", `for example ["Mon-Fri 07:00-19:00"]; leave it out for always`)
	}
	c.checkDetector(key, cam)
	if len(cam.Lines)+len(cam.Zones) == 0 {
		c.Reject(key+".line", "is missing: nothing is counted in this picture", "add a [[camera.line]] or [[camera.zone]]")
	}
	for i, l := range cam.Lines {
		c.checkLine(fmt.Sprintf("%s.line[%d]", key, i), l)
	}
	for i, z := range cam.Zones {
		k := fmt.Sprintf("%s.zone[%d]", key, i)
		c.checkStream(k, z.ID, z.Classes)
		c.checkPolygon(k+".polygon", z.Polygon)
	}
	for i, m := range cam.Masks {
		c.checkPolygon(fmt.Sprintf("%s.mask[%d].polygon", key, i), m.Polygon)
	}
	c.checkHeights(key, cam.Heights)
	c.checkDistance(key, cam)
	return src
}

func (c checker) checkDetector(key string, cam cameraFile) {
	switch cam.Detector {
	case "motion":
		if cam.Model != "" {
			c.Reject(key+".model", "must not come together with detector = \"motion\"", "motion needs no model")
		}
	case "", "auto", "neural":
		if cam.Model != "" {
			c.checkModel(key+".model", cam.Model)
		}
	default:
		c.Reject(key+".detector", "must be auto, neural or motion", "leave it out for auto")
	}
}

func (c checker) checkStream(key, id string, classes []string) {
	c.checkName(key+".id", id)
	if other := c.ids[id]; other != "" {
		c.Reject(key+".id", "must be unique on the device", "it is also at "+c.Locate(other))
	}
	c.ids[id] = key + ".id"
	split, whole := false, false
	for _, name := range classes {
		class, err := counting.ParseClass(name)
		if err != nil {
			c.Reject(key+".classes", err.Error(), "leave it out for person, bicycle and vehicle")
			return
		}
		whole = whole || class == counting.Vehicle
		split = split || class.WithoutSplit() != class
	}
	if whole && split {
		c.Reject(key+".classes", "must name vehicle or its parts, not both", "one car would count twice")
	}
}

func (c checker) checkLine(key string, l lineFile) {
	c.checkStream(key, l.ID, l.Classes)
	for _, end := range []string{"from", "to"} {
		if !c.HasKey(key + "." + end) {
			c.Reject(key+"."+end, "is missing", "x and y from 0 (left, top) to 1 (right, bottom): "+end+" = [0.1, 0.5]")
			return
		}
	}
	c.checkPoint(key+".from", l.From)
	c.checkPoint(key+".to", l.To)
	if l.From == l.To {
		c.Reject(key+".to", "must differ from from", "a line has a length")
	}
}

func (c checker) checkPoint(key string, p [2]float64) {
	if isOutside(p[0], 0, 1) || isOutside(p[1], 0, 1) {
		c.Reject(key, pointRule, pointHint)
	}
}

const (
	pointRule = "must lie in the picture: x and y are 0–1"
	pointHint = "for pixels, divide x by the width and y by the height"
)

func (c checker) checkPolygon(key string, g [][2]float64) {
	if len(g) < minCorners || len(g) > maxCorners {
		c.Reject(key, "must have 3–32 corners", "for example [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]")
		return
	}
	if slices.ContainsFunc(g, func(p [2]float64) bool { return isOutside(p[0], 0, 1) || isOutside(p[1], 0, 1) }) {
		c.Reject(key, pointRule, pointHint)
	}
	if crosses(g) {
		c.Reject(key, "must have sides that do not cross, and an area", "name the corners in their order around it, for example [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]")
	}
}

func (c checker) checkHeights(key string, hs []heightFile) {
	if len(hs) == 1 || len(hs) > 2 {
		c.Reject(key+".height", "must be two, or none", "measure two upright things at different distances, or leave it to kerb")
	}
	for i, h := range hs {
		k := fmt.Sprintf("%s.height[%d]", key, i)
		c.checkPoint(k+".foot", h.Foot)
		c.checkPoint(k+".top", h.Top)
		if isOutside(h.Metres, minHeight, maxHeight) {
			c.Reject(k+".metres", "must be 0.5–20", "")
		}
		if h.Top[1] >= h.Foot[1] {
			c.Reject(k+".top", "must be above foot", "y grows downwards")
		}
	}
	if len(hs) == 2 && hs[0].Foot[1] == hs[1].Foot[1] {
		c.Reject(key+".height[1].foot", "must be nearer or farther than the first", "two heights at one distance give no perspective")
	}
}

// checkDistance refuses a distance that is none, or that does not fit the two heights.
func (c checker) checkDistance(key string, cam cameraFile) {
	d := cam.Distance
	if d == nil {
		return
	}
	key += ".distance"
	c.checkPoint(key+".from", d.From)
	c.checkPoint(key+".to", d.To)
	switch {
	case d.From == d.To:
		c.Reject(key+".to", "must differ from from", "mark two places on the road, one behind the other")
		return
	case isOutside(d.Metres, minDistance, maxDistance):
		c.Reject(key+".metres", "must be 1–100", "measure along the road, in the direction of travel")
		return
	}
	v := cam.toCamera()
	if _, ok := counting.NewGround(v.Heights, v.Distance, anyAspect); !ok {
		c.Reject(key+".metres", "does not fit the picture", "both ends must be on the ground; measure this distance and the heights again")
	}
}
