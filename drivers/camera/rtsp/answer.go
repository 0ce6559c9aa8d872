package rtsp

import (
	"bytes"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"kerb/drivers/camera/head"
)

// standardAnswer returns an answer as RFC 2326 and the library want it: numbered as
// the request, with one usable Content-Base, Session and Transport, and with a
// description that holds the lines that are needed.
func (c *wire) standardAnswer(r *request, m *head.Message, body []byte) ([]byte, error) {
	asked := c.asked
	out := head.Message{Start: "RTSP/1.0 " + strconv.Itoa(m.Status) + " Status"}
	out.Set("CSeq", r.librarySeq)
	out.Set("Session", standardSession(m.Get("Session")))
	switch {
	case r.method == "OPTIONS" && m.Status != 401:
		// Cameras refuse it in many ways. What comes next tells whether they serve.
		out.Start = "RTSP/1.0 200 OK"
		if public := strings.ToUpper(strings.Join(m.Values("Public"), ",")); m.Status == 200 && strings.Contains(public, "GET_PARAMETER") {
			out.Set("Public", "GET_PARAMETER")
		}
		body = nil
	case r.method == "DESCRIBE" && m.Status == 200:
		out.Set("Content-Type", "application/sdp")
		out.Set("Content-Base", contentBase(m, asked, r.uri))
		body, c.codecs = standardSDP(body)
	case r.method == "DESCRIBE" && m.Status >= 300 && m.Status < 400:
		to, err := redirect(m, asked)
		if err != nil {
			return nil, err
		}
		out.Set("Location", to)
		body = nil
	case r.method == "SETUP" && m.Status == 200:
		out.Set("Transport", standardTransport(r.Get("Transport"), m.Get("Transport")))
		body = nil
	default:
		body = nil
	}
	if len(body) > 0 {
		out.Set("Content-Length", strconv.Itoa(len(body)))
	}
	return append(out.Append(nil), body...), nil
}

// standardSession returns the identifier, and the time-out where it is a number of
// at least one second.
func standardSession(value string) string {
	id, rest, _ := strings.Cut(value, ";")
	if id = strings.TrimSpace(id); id == "" {
		return ""
	}
	for _, p := range strings.Split(rest, ";") {
		key, v, _ := strings.Cut(p, "=")
		n, err := strconv.ParseUint(strings.Trim(v, " \t\""), 10, 31)
		if strings.EqualFold(strings.TrimSpace(key), "timeout") && err == nil && n > 0 {
			return id + ";timeout=" + strconv.FormatUint(n, 10)
		}
	}
	return id
}

// contentBase returns the base address of a description: Content-Base, else
// Content-Location, else the address asked for (RFC 2326, appendix C.1.1). Cameras
// leave out the scheme or the host, or send it empty or twice.
func contentBase(m *head.Message, asked *url.URL, uri string) string {
	for _, name := range []string{"Content-Base", "Content-Location"} {
		for _, v := range m.Values(name) {
			if base, ok := parseBase(strings.Trim(v, " \t\"'<>"), asked); ok {
				return base
			}
		}
	}
	return uri
}

// parseBase completes an address that may lack scheme and host.
func parseBase(v string, asked *url.URL) (string, bool) {
	lower := strings.ToLower(v)
	switch first, _, _ := strings.Cut(v, "/"); {
	case v == "":
		return "", false
	case strings.HasPrefix(lower, "rtsp://"), strings.HasPrefix(lower, "rtsps://"):
		v = asked.Scheme + v[strings.LastIndex(v, "://"):] // the scheme may come twice
	case strings.HasPrefix(v, "//"):
		v = asked.Scheme + ":" + v
	case strings.HasPrefix(v, "/"):
		v = asked.Scheme + "://" + asked.Host + v
	case strings.Contains(v, "://"):
		return "", false
	case first == asked.Host, strings.ContainsAny(first, ".:"):
		v = asked.Scheme + "://" + v
	default:
		return "", false
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" {
		return "", false
	}
	u.User = nil
	return u.String(), true
}

// redirect returns the address of a redirect. It refuses another host: the
// password would go there.
func redirect(m *head.Message, asked *url.URL) (string, error) {
	u, err := url.Parse(m.Get("Location"))
	if err != nil {
		return "", errOtherHost
	}
	if u = asked.ResolveReference(u); u.Hostname() != asked.Hostname() || u.Scheme != asked.Scheme {
		return "", errOtherHost
	}
	u.User = nil
	return u.String(), nil
}

// standardTransport returns the Transport of a SETUP that was accepted. By TCP the
// channels are those of the answer, else those of the request. An answer that names
// UDP ports for a request by TCP, or none of its own, stays as it is.
func standardTransport(asked, answered string) string {
	_, channels, byTCP := strings.Cut(asked, "interleaved=")
	lower := strings.ToLower(answered)
	_, found, named := strings.Cut(lower, "interleaved=")
	if !byTCP {
		return withoutNames(answered)
	}
	if !named && strings.Contains(lower, "_port=") {
		return answered
	}
	n := leadingNumber(channels)
	if k := leadingNumber(found); named && k >= 0 {
		n = k
	}
	profile, _, _ := strings.Cut(asked, ";")
	return profile + ";unicast;interleaved=" + strconv.Itoa(n) + "-" + strconv.Itoa(n+1)
}

// leadingNumber returns the channel, 0–254, at the start of a text; -1 without one.
func leadingNumber(s string) int {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil || n > 254 {
		return -1
	}
	return n
}

// withoutNames removes a source and a destination that are no IP address: they
// would have to be looked up, and are not needed.
func withoutNames(transport string) string {
	var kept []string
	for _, p := range strings.Split(transport, ";") {
		key, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if (key == "source" || key == "destination") && net.ParseIP(v) == nil {
			continue
		}
		kept = append(kept, strings.TrimSpace(p))
	}
	return strings.Join(kept, ";")
}

// sdpStart replaces the lines of a session description before its first medium,
// RFC 8866 section 5: none of them is needed, and cameras get most of them wrong.
const sdpStart = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"

// medium is one medium of a session description.
type medium struct {
	kind, line string   // video, and the line without m=
	formats    []string // its payload types
	attributes []string
	codecs     []string // the names in its rtpmap lines, in capitals
}

// standardSDP returns a description of the streams that kerb can read, with the
// lines that are needed, and the names of the other codecs. A session-wide control
// address stays where it is absolute; ffmpeg ignores others as well.
func standardSDP(body []byte) (out []byte, others []string) {
	out = []byte(sdpStart)
	var media []medium
	for _, line := range bytes.Split(body, []byte{'\n'}) {
		text := strings.Trim(string(line), " \t\r\x00")
		switch {
		case len(text) < 2 || text[1] != '=':
		case text[0] == 'm':
			media = append(media, parseMedium(text[2:]))
		case text[0] == 'a':
			key, v, has := strings.Cut(text[2:], ":")
			key, v = strings.TrimSpace(key), strings.TrimSpace(v)
			if !isNeededAttribute(key, v, len(media) > 0) {
				continue
			}
			if has {
				key += ":" + v
			}
			if len(media) == 0 {
				out = append(out, "a="+key+"\r\n"...)
				continue
			}
			m := &media[len(media)-1]
			m.attributes = append(m.attributes, key)
			if words := strings.Fields(v); strings.HasPrefix(key, "rtpmap:") {
				name, _, _ := strings.Cut(words[1], "/")
				m.codecs = append(m.codecs, strings.ToUpper(name))
			}
		}
	}
	for _, m := range media {
		if m.isReadable() {
			out = append(out, "m="+m.line+"\r\n"...)
			for _, a := range m.attributes {
				out = append(out, "a="+a+"\r\n"...)
			}
			continue
		}
		others = append(others, m.codecs...)
		if m.codecs == nil && slices.Contains(m.formats, "0") {
			others = append(others, "PCMU") // RFC 3551, table 4
		}
	}
	return out, others
}

// parseMedium reads a medium. Its kind is made lower case, and payload types that
// are no numbers are left out; line is empty where RTP does not carry it.
func parseMedium(s string) (m medium) {
	words := strings.Fields(s)
	if len(words) < 4 || !strings.HasPrefix(strings.ToUpper(words[2]), "RTP/") {
		return m
	}
	profile := "RTP/AVP"
	if strings.HasPrefix(strings.ToUpper(words[2]), "RTP/SAVP") {
		profile = "RTP/SAVP"
	}
	port, _, _ := strings.Cut(words[1], "/")
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		port = "0"
	}
	m.kind = strings.ToLower(words[0])
	for _, w := range words[3:] {
		if n, err := strconv.ParseUint(w, 10, 7); err == nil {
			m.formats = append(m.formats, strconv.FormatUint(n, 10))
		}
	}
	if m.formats != nil {
		m.line = m.kind + " " + port + " " + profile + " " + strings.Join(m.formats, " ")
	}
	return m
}

// jpegFormat is the payload type of M-JPEG, RFC 3551, table 5.
const jpegFormat = "26"

// isReadable reports whether a medium is video of a known codec. Others are left
// out: a mistake in the description of sound would make the library refuse it all.
func (m *medium) isReadable() bool {
	known := func(codec string) bool { return codec == "JPEG" || codec == "H264" || codec == "H265" }
	return m.kind == "video" && m.line != "" && (slices.Contains(m.formats, jpegFormat) || slices.ContainsFunc(m.codecs, known))
}

// isNeededAttribute reports whether an attribute is needed to play a stream.
func isNeededAttribute(key, value string, inMedium bool) bool {
	switch key {
	case "control":
		lower := strings.ToLower(value)
		return inMedium || strings.HasPrefix(lower, "rtsp://") || strings.HasPrefix(lower, "rtsps://")
	case "key-mgmt":
		return true
	case "rtpmap", "fmtp":
		return inMedium && len(strings.Fields(value)) > 1
	case "crypto", "sendonly", "recvonly", "sendrecv", "inactive":
		return inMedium
	}
	return false
}
