package config

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// channelKeys are the keys of a query that name one of several cameras behind one
// address, at recorders of the makers that were looked at. All other keys are about the
// same picture.
var channelKeys = []string{"camera", "cam", "channel", "channelid", "ch", "chan", "chn", "chnid", "id", "input", "source"}

// addressForms are the paths under which cameras and recorders give the streams of one
// channel: its main and second stream, its single pictures. The first group of a
// pattern is the channel, by which a recorder numbers its cameras; without one it is that
// of the query, or the first. From the makers' support pages, in lower case.
var addressForms = []*regexp.Regexp{
	regexp.MustCompile(`^/(?:isapi/)?streaming/channels/(\d{1,2})0[1-3](?:/picture|/httppreview)?$`),             // Hikvision: 101, 102 of channel 1
	regexp.MustCompile(`^/(?:h264|h265|mpeg-?4)/ch0*(\d+)/(?:main|sub)/av_stream$`),                              // Hikvision, older
	regexp.MustCompile(`^/cam/realmonitor$|^/cgi-bin/(?:snapshot|mjpg/video)\.cgi$`),                             // Dahua, Amcrest: channel=1&subtype=0
	regexp.MustCompile(`^/axis-media/media\.amp$|^/mjpg/video\.mjpg$|^/axis-cgi/(?:mjpg/video|jpg/image)\.cgi$`), // Axis: camera=1
	regexp.MustCompile(`^/(?:h26[45])?preview_0*(\d+)_(?:main|sub)$`),                                            // Reolink
	regexp.MustCompile(`^/unicast/c0*(\d+)/s\d/live$`),                                                           // Uniview recorders
	regexp.MustCompile(`^/media/video[1-3]$`),                                                                    // Uniview cameras: main, second, third stream
	regexp.MustCompile(`^/stream[12]$`),                                                                          // TP-Link: main and second stream
	regexp.MustCompile(`^/profile\d+/media\.smp$|^/onvif-media/media\.amp$`),                                     // Hanwha; ONVIF profiles
	regexp.MustCompile(`^/video(?:main|sub)$`),                                                                   // Foscam
}

// streamWords are parts of a path that name the quality of a stream, not its content.
var streamWords = regexp.MustCompile(`(^|[/_.-])(?:main|sub|minor|high|low|hd|sd|hq|lq)([/_.-]|$)`)

// identity returns a text that is equal for two addresses of one camera, as far as the
// addresses tell: its host, and the channel where the path has one of addressForms. Port
// and scheme tell nothing then, unless the port is unusual, as behind a router. For other
// paths it has the path too, without streamWords.
func (a Address) identity() string {
	u, err := url.Parse(a.URL)
	if err != nil {
		return a.URL
	}
	host, port := a.normalHost()
	if usualPort(strings.ToLower(u.Scheme)) == port {
		port = ""
	}
	channel := queryChannel(u.Query())
	at := strings.ToLower(strings.TrimRight(path.Clean("/"+u.Path), "/"))
	for _, form := range addressForms {
		if m := form.FindStringSubmatch(at); m != nil {
			number := ""
			if len(m) > 1 {
				number = m[1]
			}
			return strings.Join([]string{host, port, "channel", cmp.Or(number, channelNumber(u.Query()), "1")}, " ")
		}
	}
	if bare := streamWords.ReplaceAllString(at, "$1$2"); bare != at {
		at = strings.Trim(bare, "/_.-")
	}
	return strings.Join([]string{host, port, at, channel}, " ")
}

// nat64 is the well-known prefix of IPv6 addresses that hold an IPv4 address (RFC 6052,
// section 2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// normalHost returns host and port of an address in one form. All addresses of this
// machine itself are localhost. Names beyond ASCII are in punycode, as HTTP sends them.
func (a Address) normalHost() (host, port string) {
	host, port, err := net.SplitHostPort(a.HostPort)
	if err != nil {
		host, port = a.HostPort, ""
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip = ip.Unmap(); nat64.Contains(ip) {
			b := ip.As16()
			ip = netip.AddrFrom4([4]byte(b[12:]))
		}
		if host = ip.String(); ip.IsLoopback() || ip.IsUnspecified() {
			host = "localhost"
		}
	} else if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	if strings.HasSuffix(host, ".localhost") { // RFC 6761, section 6.3
		host = "localhost"
	}
	if n, err := strconv.Atoi(port); err == nil {
		port = strconv.Itoa(n)
	}
	return host, port
}

// queryChannel returns the channelKeys of a query, sorted; "" for none.
func queryChannel(query url.Values) string {
	var channel []string
	for key, values := range query {
		if slices.Contains(channelKeys, strings.ToLower(key)) {
			channel = append(channel, strings.ToLower(key)+"="+strings.Join(values, ","))
		}
	}
	slices.Sort(channel)
	return strings.Join(channel, " ")
}

// channelNumber returns the first number that a channel key of a query has; "" for none.
func channelNumber(query url.Values) string {
	for _, key := range channelKeys {
		for name, values := range query {
			if strings.ToLower(name) == key && len(values) > 0 && values[0] != "" {
				return strings.TrimLeft(values[0], "0")
			}
		}
	}
	return ""
}

// SharedHosts returns groups of cameras at one host whose addresses do not tell whether
// they are one camera, by name. Where they are, one object is counted as two sensors, and
// its cost in ε has no bound.
func (s *Site) SharedHosts() (groups [][]string) {
	names, byHost := s.SensorNames(), map[string][]string{}
	var hosts []string
	for _, c := range s.Cameras {
		host, _ := c.Address().normalHost()
		if names[c.Name] != c.Name || host == "" {
			continue
		}
		if byHost[host] == nil {
			hosts = append(hosts, host)
		}
		byHost[host] = append(byHost[host], c.Name)
	}
	for _, host := range hosts {
		if len(byHost[host]) > 1 {
			groups = append(groups, byHost[host])
		}
	}
	return groups
}
