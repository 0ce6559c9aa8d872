package cameratest

import (
	"fmt"
	"strings"
)

// own stands in the place of a report for a deviation that follows from the
// standard or from a report of another kind.
const own = "own trial"

// User and Password are those of the cameras that ask for one.
const (
	User     = "user"
	Password = `p"a:s s\word`
)

// rtspQuirks are the rows of RTSP.
func rtspQuirks() (all []Quirk) {
	add := func(name, report string, ffmpeg, kerb Result, s rtspCamera) {
		all = append(all, Quirk{Name: "RTSP: " + name, Report: report, FFmpeg: ffmpeg, Kerb: kerb, scheme: "rtsp", path: "/live", serve: s.serve})
	}
	add("nothing", "RFC 2326", Reads, Reads, rtspCamera{})
	addBases(add)
	addAnswers(add)
	addDescriptions(add)
	addPackets(add)
	return all
}

type addRTSP func(name, report string, ffmpeg, kerb Result, s rtspCamera)

// onMethod returns an answer function for one method.
func onMethod(method string, change func(c *rtspConn, r rtspRequest, a *rtspAnswer)) func(*rtspConn, rtspRequest, *rtspAnswer) {
	return func(c *rtspConn, r rtspRequest, a *rtspAnswer) {
		if r.method == method {
			change(c, r, a)
		}
	}
}

// status answers a method with a status.
func status(method, text string, fields ...string) rtspCamera {
	return rtspCamera{answer: onMethod(method, func(_ *rtspConn, _ rtspRequest, a *rtspAnswer) {
		*a = rtspAnswer{status: text, fields: fields}
	})}
}

// addBases adds the forms of Content-Base. The camera serves only /live/track1.
func addBases(add addRTSP) {
	for _, row := range []struct {
		name, report string
		ffmpeg       Result
		base         func(uri string) []string
	}{
		{"Content-Base is empty", "bluenviron/mediamtx#6167", Reads, func(string) []string { return []string{"Content-Base: "} }},
		{"Content-Base lacks its scheme", "bluenviron/mediamtx#825", Reads, func(u string) []string { return []string{"Content-Base: " + strings.TrimPrefix(u, "rtsp://") + "/"} }},
		{"Content-Base is a path", own, Reads, func(string) []string { return []string{"Content-Base: /live/"} }},
		{"Content-Base comes twice", own, Reads, func(u string) []string { return []string{"Content-Base: " + u + "/", "Content-Base: " + u + "/"} }},
		{"Content-Base in angle brackets", own, Reads, func(u string) []string { return []string{"Content-Base: <" + u + "/>"} }},
		{"Content-Base has two ports", own, Reads, func(string) []string { return []string{"Content-Base: rtsp://127.0.0.1:554:554/live/"} }},
		{"Content-Base has its scheme twice", "AlexxIT/go2rtc#208", Reads, func(u string) []string { return []string{"Content-Base: rtsp://" + u + "/"} }},
		{"Content-Base has no scheme, and no path", "AlexxIT/go2rtc#1852", Reads, func(u string) []string {
			return []string{"Content-Base: " + strings.TrimSuffix(strings.TrimPrefix(u, "rtsp://"), "live")}
		}},
		{"Content-Base is an IPv6 address without brackets", "AlexxIT/WebRTC#395", Reads, func(string) []string { return []string{"Content-Base: rtsp://::ffff:127.0.0.1/live/"} }},
		{"Content-Base is a word", own, Reads, func(string) []string { return []string{"Content-Base: live"} }},
		{"Content-Base is missing, Content-Location there", "RFC 2326 C.1.1", Reads, func(u string) []string { return []string{"Content-Location: " + u + "/"} }},
		{"Content-Base and Content-Location are missing", "RFC 2326 C.1.1", Reads, func(string) []string { return nil }},
		{"Content-Base names the camera's address behind a NAT", own, Reads, func(string) []string { return []string{"Content-Base: rtsp://192.168.1.10/live/"} }},
	} {
		add(row.name, row.report, row.ffmpeg, Reads, rtspCamera{answer: func(_ *rtspConn, r rtspRequest, a *rtspAnswer) {
			if r.method == "DESCRIBE" {
				a.fields = append(row.base(r.uri), "Content-Type: application/sdp")
			}
		}})
	}
}

// addAnswers adds what answers to requests lack.
func addAnswers(add addRTSP) {
	for code, report := range map[string]string{
		"400 Bad Request": own, "404 Not Found": "aler9/rtsp-simple-proxy#10", "405 Method Not Allowed": own,
		"454 Session Not Found": own, "501 Not Implemented": own, "551 Invalid Method": own,
	} {
		add("OPTIONS is answered "+code, report, Refuses, Reads, status("OPTIONS", code))
	}
	setup := func(fields ...string) rtspCamera {
		return rtspCamera{answer: onMethod("SETUP", func(_ *rtspConn, _ rtspRequest, a *rtspAnswer) { a.fields = fields })}
	}
	const session = "Session: 1234"
	add("no interleaved ids", "bluenviron/gortsplib#142", Reads, Reads, setup("Transport: RTP/AVP/TCP;unicast", session))
	add("one interleaved id", own, Reads, Reads, setup("Transport: RTP/AVP/TCP;unicast;interleaved=0", session))
	add("interleaved ids apart", own, Reads, Reads, setup("Transport: RTP/AVP/TCP;unicast;interleaved=0-3", session))
	other := setup("Transport: RTP/AVP/TCP;unicast;interleaved=8-9;ssrc=2A27A3FB", session)
	other.frame = func(p []byte) []byte { return append([]byte{'$', 8, byte(len(p) >> 8), byte(len(p))}, p...) }
	add("other interleaved ids than asked for", "bluenviron/gortsplib#72", Reads, Reads, other)
	add("interleaved without TCP", own, Refuses, Reads, setup("Transport: RTP/AVP;unicast;interleaved=0-1", session))
	add("no Transport", own, Refuses, Reads, setup(session))
	add("server ports for TCP", "deepch/RTSPtoWeb#249", Refuses, `set transport = "udp"`, setup("Transport: RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001", session))
	add("the time-out is no number", own, Reads, Reads, setup("Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1234; timeout=never"))
	add("the session has a blank and quotes", own, Reads, Reads, setup("Transport: RTP/AVP/TCP;unicast;interleaved=0-1", `Session: 1234 ; timeout="60"`))
	add("CSeq is another number", "EliasKotlyar/Xiaomi-Dafang-Hacks#983", Reads, Reads, rtspCamera{answer: func(_ *rtspConn, _ rtspRequest, a *rtspAnswer) { a.fields = append(a.fields, "CSeq: 77") }})
	add("a head line without a colon", own, Reads, Reads, rtspCamera{answer: func(_ *rtspConn, _ rtspRequest, a *rtspAnswer) {
		a.fields = append([]string{"Mon Nov 30 2026 01-02-03"}, a.fields...)
	}})
	add("a request of the camera between", own, Reads, Reads, rtspCamera{answer: onMethod("PLAY", func(_ *rtspConn, _ rtspRequest, a *rtspAnswer) {
		a.before = []byte("SET_PARAMETER rtsp://cam/live RTSP/1.0\r\nCSeq: 9\r\nContent-Length: 3\r\n\r\na:b")
	})})
	add("data before the answer to PLAY", "scottlamb/retina#46", Reads, Reads, rtspCamera{answer: onMethod("PLAY", func(_ *rtspConn, _ rtspRequest, a *rtspAnswer) {
		a.before = []byte("$\x00\x00\x04abcd")
	})})
	add("data after SETUP", own, Reads, Reads, rtspCamera{answer: onMethod("SETUP", func(_ *rtspConn, _ rtspRequest, a *rtspAnswer) {
		a.before = []byte("$\x00\x00\x04abcd")
	})})
	add("UDP only: 461", "deepch/RTSPtoWeb#249", Refuses, `461: camera sends pictures by UDP only: set transport = "udp"`, status("SETUP", "461 Unsupported Transport"))
	add("UDP only: 406", "CamioCam/rtsp#21", Refuses, `set transport = "udp"`, status("SETUP", "406 Not Acceptable"))
	add("no session is free: 453", "keshavdv/unifi-cam-proxy#340", Refuses, "no session free", status("SETUP", "453 Not Enough Bandwidth"))
	add("no session is free: 503", own, Refuses, "no session free", status("DESCRIBE", "503 Service Unavailable"))
	add("no such stream: 404", own, Refuses, "no stream of this name", status("DESCRIBE", "404 Stream Not Found"))
	add("redirects to another host", own, Refuses, "redirects to another host", status("DESCRIBE", "302 Moved", "Location: rtsp://198.51.100.1/live"))
	add("keepalive by GET_PARAMETER is refused", "themactep/thingino-firmware#490", Reads, Reads, status("GET_PARAMETER", "454 Session Not Found"))
	add("Digest with SHA-256, quoted", "AlexxIT/go2rtc#2344", Refuses, Reads, rtspCamera{answer: func(_ *rtspConn, r rtspRequest, a *rtspAnswer) {
		if r.method != "TEARDOWN" && !strings.Contains(r.fields["authorization"], "SHA-256") {
			*a = rtspAnswer{status: "401 Unauthorized", fields: []string{`WWW-Authenticate: Digest realm="IP Camera(GH455)", nonce="n", algorithm="SHA-256", stale="FALSE"`}}
		}
	}})
	add("Digest by the book", "RFC 7616", Reads, Reads, digestCamera("", 0))
	add("Digest after Basic in one line", own, Reads, Reads, digestCamera(`Basic realm="cam", `, 0))
	add("Digest, a nonce for each request", "rburgst/okhttp-digest#23", Refuses, Reads, digestCamera("", 1))
}

// digestCamera asks for a Digest answer, RFC 2069. With uses a nonce is good for so
// many requests, and refused as stale then.
func digestCamera(before string, uses int) rtspCamera {
	return rtspCamera{answer: func(c *rtspConn, r rtspRequest, a *rtspAnswer) {
		total := 0
		for _, n := range c.calls {
			total += n
		}
		given := r.fields["authorization"]
		nonce := "n0"
		if uses > 0 {
			nonce = fmt.Sprint("n", total/2/uses)
		}
		switch {
		case r.method == "TEARDOWN":
		case given == "", uses > 0 && !strings.Contains(given, `nonce="`+nonce+`"`):
			stale := ""
			if given != "" {
				stale = ", stale=TRUE"
			}
			*a = rtspAnswer{status: "401 Unauthorized", fields: []string{"WWW-Authenticate: " + before + `Digest realm="cam", nonce="` + nonce + `"` + stale}}
		}
	}}
}

// addDescriptions adds the forms of session descriptions.
func addDescriptions(add addRTSP) {
	const medium = "m=video 0 RTP/AVP 26\r\na=control:track1\r\n"
	for _, row := range []struct {
		name, report string
		ffmpeg, kerb Result
		sdp          string
	}{
		{"numbers with fractions", "bluenviron/mediamtx#2555", Reads, Reads, "v=0\r\no=- 1698143674.978737 1698143674.978737 IN IP4 127.0.0.1\r\ns=cam\r\nt=0.0 0\r\n" + medium},
		{"a number of 20 digits", "bluenviron/mediamtx#5949", Reads, Reads, "v=0\r\no=RTSP 19599440071187478912 13656283801756621937 IN IP4 0.0.0.0\r\ns=cam\r\nt=0 0\r\n" + medium},
		{"a negative number", "bluenviron/mediamtx#2708", Reads, Reads, "v=0\r\no=- -8959200248001175080 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\n" + medium},
		{"a hexadecimal number", "bluenviron/mediamtx#5442", Reads, Reads, "v=0\r\no=- 2EC08200 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\n" + medium},
		{"an empty c=", "bluenviron/mediamtx#120", Reads, Reads, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nc=\r\nt=0 0\r\n" + medium},
		{"half a c=", "bluenviron/mediamtx#5033", Reads, Reads, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nc=IN \r\nt=0 0\r\n" + medium},
		{"no session name", "bluenviron/mediamtx#2473", Reads, Reads, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\nt=0 0\r\n" + medium},
		{"an empty bandwidth", own, Reads, Reads, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\n" + medium + "b=AS:\r\n"},
		{"little more than the medium, and no base", "deepch/RTSPtoWeb#175", Reads, Reads, "v=0\r\no=- 1234 1234 IN IP4 localhost\r\ns=XXX\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=range:npt=0-\r\na=framerate:0S\r\na=control:track1\r\n"},
		{"no origin, name and time", own, Reads, Reads, "v=0\r\n" + medium},
		{"line feeds and blanks", own, Reads, Reads, "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=\nt=0 0\nm=video 0 RTP/AVP 26 \na=control: track1 \n\n\x00"},
		{"a relative control for the session", own, Reads, Reads, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\na=control:live\r\n" + medium},
		{"rtpmap without its format", own, Refuses, Reads, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\n" + medium + "a=rtpmap:26\r\n"},
		{"sound without its configuration", "bluenviron/mediamtx#3669", Reads, Reads, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\n" + medium + "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/8000\r\na=control:track2\r\n"},
		{"a stream in a protocol of its own", own, Refuses, Reads, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\nm=application 0 TCP/WS *\r\na=control:x\r\n" + medium},
		{"the medium alone", "AlexxIT/go2rtc#679", Reads, Reads, medium},
		{"a medium without a name of the standard", "AlexxIT/go2rtc#1278", Reads, Reads, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\n" + medium + "m=vana 0 RTP/AVP 107\r\na=control:track2\r\n"},
		{"a medium with a maker's name", "AlexxIT/go2rtc#708", Reads, Reads, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\n" + medium + "m=application/MERCURY 0 RTP/AVP smart/1/90000\r\na=rtpmap:95 MERCURY/90000\r\na=control:track3\r\n"},
		{"a port below zero and bytes in c=", "AlexxIT/go2rtc#2316", Reads, Reads, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\nm=video -1353744643 RTP/AVP 26\r\nc=IN IP4 '&\xf0\x9d\xff\r\na=control:track1\r\n"},
		{"half an origin", "AlexxIT/go2rtc#1426", Reads, Reads, "v=0\r\no=- 1001 1 IN\r\ns=VCP IPC Realtime stream\r\nt=0 0\r\n" + medium},
		{"an origin without a user", "bluenviron/mediamtx#231", Reads, Reads, "v=0\r\no=-2208991488 2208991488 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\n" + medium},
		{"sound only", own, Refuses, "no M-JPEG, H.264 or H.265 but PCMU", "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\na=control:track1\r\n"},
	} {
		add("SDP: "+row.name, row.report, row.ffmpeg, row.kerb, rtspCamera{description: row.sdp})
	}
}

// addPackets adds the rows about RTP packets.
func addPackets(add addRTSP) {
	head := func(f func(n int, h *jpegHead)) rtspCamera { return rtspCamera{head: f} }
	add("three tables with Q=128", "mpromonet/v4l2rtspserver#361", Reads, Reads, head(func(_ int, h *jpegHead) { h.q, h.tables = 128, append(h.tables, h.tables[64:]...) }))
	add("one table", "RFC 2435 3.1.8", Reads, Reads, head(func(_ int, h *jpegHead) { h.tables = h.tables[:64] }))
	add("tables once for the stream", "RFC 2435 3.1.8", Reads, Reads, head(func(n int, h *jpegHead) {
		if h.q = 130; n > 0 {
			h.tables = nil
		}
	}))
	add("tables of 16 bits", "RFC 2435 3.1.8", Reads, Reads, head(func(_ int, h *jpegHead) {
		var wide []byte
		for _, v := range h.tables {
			wide = append(wide, 0, v)
		}
		h.precision, h.tables = 3, wide
	}))
	add("Q=60, without tables", "bluenviron/gortsplib#566", Reads, Reads, head(func(_ int, h *jpegHead) { h.q = 60 }))
	add("wider than 2,040", "bluenviron/mediamtx#6080", Refuses, "wider or higher than 2,040", head(func(_ int, h *jpegHead) { h.width = 0 }))
	add("Q=0", "RFC 2435 3.1.4", Refuses, "without their quantisation tables", head(func(_ int, h *jpegHead) { h.q = 0 }))
	add("an undefined kind of JPEG", "RFC 2435 3.1.3", Refuses, Reads, head(func(_ int, h *jpegHead) { h.kind = 5 }))
	add("a restart header with an interval of 0", "RFC 2435 3.1.7", Reads, Reads, head(func(_ int, h *jpegHead) { h.kind, h.restart = 65, []byte{0, 0, 0xff, 0xff} }))
	add("bytes between frames", own, Reads, Reads, rtspCamera{frame: func(p []byte) []byte {
		return append(append([]byte{'$', 0, byte(len(p) >> 8), byte(len(p))}, p...), "\r\n"...)
	}})
	add("frames of an unknown channel between", own, Refuses, Reads, rtspCamera{frame: func(p []byte) []byte {
		return append(append([]byte{'$', 0, byte(len(p) >> 8), byte(len(p))}, p...), "$\x09\x00\x04abcd"...)
	}})
	add("H.264 without a key frame", "fyhertz/libstreaming#291", Refuses, "no key frame in", rtspCamera{
		description: "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n",
		format:      96,
		payloads:    func(int) [][]byte { return [][]byte{{0x41, 0x9a, 0x24, 0x6c, 0x41, 0x4f}} }, // a slice that is no IDR
	})
	add("nothing after PLAY", own, Refuses, "sends nothing", rtspCamera{payloads: func(int) [][]byte { return nil }})
}
