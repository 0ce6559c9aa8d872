package cameratest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// httpCamera is a camera that answers each request by HTTP: with a stream of
// pictures as multipart/x-mixed-replace, or with one picture. The zero value has no
// deviations.
type httpCamera struct {
	still bool
	// head replaces the head of the response. LENGTH is the length of the picture;
	// NOTHING is no head.
	head string
	// part replaces the head of a part.
	part string
	// after follows each picture.
	after string
	// picture changes picture n before it is sent.
	picture func(n int, j []byte) []byte
	// body replaces the bytes after the head.
	body func(w io.Writer, pictures [][]byte) error
	// answer may send another answer to a request, and returns true then.
	answer func(w io.Writer, r *http.Request) bool
}

const (
	streamHead = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
	stillHead  = "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: LENGTH\r\n\r\n"
	partHead   = "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: LENGTH\r\n\r\n"
)

// serve answers one request.
func (s *httpCamera) serve(conn net.Conn, pictures [][]byte) {
	defer conn.Close()
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil || s.answer != nil && s.answer(conn, r) {
		return
	}
	first := s.change(0, pictures)
	head := s.head
	switch {
	case head != "":
	case s.still:
		head = stillHead
	default:
		head = streamHead
	}
	if head == "NOTHING" {
		head = ""
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(head, "LENGTH", fmt.Sprint(len(first)))); err != nil {
		return
	}
	switch {
	case s.body != nil:
		_ = s.body(conn, pictures)
	case s.still:
		_, _ = conn.Write(first)
	default:
		_ = s.stream(conn, pictures)
	}
}

// change returns picture n as the camera sends it.
func (s *httpCamera) change(n int, pictures [][]byte) []byte {
	j := pictures[n%len(pictures)]
	if s.picture != nil {
		j = s.picture(n, bytes.Clone(j))
	}
	return j
}

// stream sends pictures until the connection ends.
func (s *httpCamera) stream(w io.Writer, pictures [][]byte) error {
	part, after := s.part, s.after
	if part == "" {
		part = partHead
	}
	if after == "" {
		after = "\r\n"
	}
	for n := 0; ; n++ {
		j := s.change(n, pictures)
		head := strings.ReplaceAll(part, "LENGTH", fmt.Sprint(len(j)))
		if _, err := w.Write(append(append([]byte(head), j...), after...)); err != nil {
			return err
		}
		time.Sleep(pictureInterval)
	}
}

type addHTTP func(name, report string, ffmpeg, curl, kerb Result, s httpCamera)

// httpQuirks are the rows of HTTP.
func httpQuirks() (all []Quirk) {
	add := func(name, report string, ffmpeg, curl, kerb Result, s httpCamera) {
		path := "/stream.mjpg"
		if s.still {
			path = "/still.jpg"
		}
		all = append(all, Quirk{Name: "HTTP: " + name, Report: report, FFmpeg: ffmpeg, Curl: curl, Kerb: kerb, scheme: "http", path: path, serve: s.serve})
	}
	addHeads(add)
	addParts(add)
	addStills(add)
	addChallenges(add)
	return all
}

// addHeads adds the heads of streams.
func addHeads(add addHTTP) {
	const kind = "Content-Type: multipart/x-mixed-replace; boundary=frame\r\n"
	head := func(h string) httpCamera { return httpCamera{head: h} }
	add("nothing", "RFC 2046", Reads, Reads, Reads, httpCamera{})
	add("a head line that is a bare date", "home-assistant/core#14960", Reads, Reads, Reads, head("HTTP/1.1 200 OK\r\nServer: GoaHead\r\nTue, 12 Jun 2012 01:56:34 GMT\r\n"+kind+"\r\n"))
	add("two status lines", "projectdiscovery/nuclei#7363", Reads, Refuses, Reads, head("HTTP/1.0 200 OK\r\nHTTP/1.1 200 OK\r\n"+kind+"\r\n"))
	add("an empty line before the status line", "niqdev/ipcam-view#26", Reads, Refuses, Reads, head("\r\nHTTP/1.1 200 OK\r\n"+kind+"\r\n"))
	add("no reason in the status line", own, Reads, Reads, Reads, head("HTTP/1.1 200\r\n"+kind+"\r\n"))
	add("blanks in the status line", own, Reads, Reads, Reads, head("HTTP/1.1  200  OK\r\n"+kind+"\r\n"))
	add("ICY instead of HTTP", own, Reads, Refuses, Reads, head("ICY 200 OK\r\n"+kind+"\r\n"))
	add("line feeds alone", "gtxaspec/wz_mini_hacks#538", Reads, Reads, Reads, head(strings.ReplaceAll("HTTP/1.1 200 OK\r\n"+kind+"\r\n", "\r\n", "\n")))
	add("CR and LF mixed", "themactep/thingino-firmware#173", Reads, Reads, Reads, head("HTTP/1.1 200 OK\n"+kind+"X: y\n\r\n"))
	add("a blank before the colon", own, Reads, Reads, Reads, head("HTTP/1.1 200 OK\r\nContent-Type : multipart/x-mixed-replace; boundary=frame\r\n\r\n"))
	add("a folded line", own, Reads, Reads, Reads, head("HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;\r\n boundary=frame\r\n\r\n"))
	add("control characters in a line", own, Reads, Reads, Reads, head("HTTP/1.1 200 OK\r\nX: \x01\x02\r\n"+kind+"\r\n"))
	add("Expires with its format instead of a time", "OpenCentauri/cc-fw-tools#108", Reads, Reads, Reads, head("HTTP/1.1 200 OK\r\nExpires: Thu, %d %d %d %d:%d:%d GMT\r\n"+kind+"\r\n"))
	add("Content-Length of 0", own, Reads, Refuses, Reads, head("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"+kind+"\r\n"))
	add("Content-Length of -1", own, Reads, Refuses, Reads, head("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n"+kind+"\r\n"))
	add("two lengths", own, Reads, Refuses, Reads, head("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n"+kind+"\r\n"))
	add("100 Continue before", own, Reads, Reads, Reads, head("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"+kind+"\r\n"))
	add("no head at all", own, Refuses, Refuses, Reads, httpCamera{head: "NOTHING"}.raw())
	add("no empty line after the head", own, Refuses, Refuses, Reads, httpCamera{head: "HTTP/1.1 200 OK\r\n" + kind}.raw())
	add("no Content-Type", "ArduPilot/MissionPlanner#3604", Reads, Reads, Reads, head("HTTP/1.1 200 OK\r\n\r\n"))
	add("Content-Type text/html", own, Reads, Reads, Reads, head("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"))
	add("Content-Type image/jpeg for a stream", own, Refuses, Reads, Reads, httpCamera{head: "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n"}.raw())
	add("a web page", own, Refuses, Refuses, "a web page (text/html)", httpCamera{head: "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", body: func(w io.Writer, _ [][]byte) error {
		_, err := io.WriteString(w, "<html>Please log in</html>")
		return err
	}})
	add("gzip, unasked", own, Reads, Refuses, "compresses its answer with gzip", httpCamera{head: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" + kind + "\r\n", body: gzipBody})
	add("chunks", "RFC 9112 7.1", Reads, Reads, Reads, httpCamera{head: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + kind + "\r\n", body: chunkedBody})
	add("chunks in HTTP/1.0", own, Reads, Reads, Reads, httpCamera{head: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" + kind + "\r\n", body: chunkedBody})
	add("a redirect to another path", own, Reads, Refuses, Reads, httpCamera{answer: func(w io.Writer, r *http.Request) bool {
		if r.URL.Path == "/other" {
			return false
		}
		_, _ = io.WriteString(w, "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")
		return true
	}})
	add("a redirect to another host", own, Refuses, Refuses, "redirects to another host", httpCamera{answer: func(w io.Writer, _ *http.Request) bool {
		_, _ = io.WriteString(w, "HTTP/1.1 302 Found\r\nLocation: http://198.51.100.1/\r\nContent-Length: 0\r\n\r\n")
		return true
	}})
	add("closes without an answer", own, Refuses, Refuses, "closed the connection", httpCamera{answer: func(io.Writer, *http.Request) bool { return true }})
	add("a head without end", own, Refuses, Refuses, "it does not end", httpCamera{answer: func(w io.Writer, _ *http.Request) bool {
		_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nX-"+strings.Repeat("\xc3\x9a", 50000))
		return true
	}})
}

// raw sends pictures one after the other, without parts.
func (s httpCamera) raw() httpCamera {
	s.body = func(w io.Writer, pictures [][]byte) error {
		for n := 0; ; n++ {
			if _, err := w.Write(s.change(n, pictures)); err != nil {
				return err
			}
			time.Sleep(pictureInterval)
		}
	}
	return s
}

// gzipBody sends a stream through gzip.
func gzipBody(w io.Writer, pictures [][]byte) error {
	z := gzip.NewWriter(w)
	return (&httpCamera{}).stream(flusher{z}, pictures)
}

// flusher flushes after each write.
type flusher struct{ *gzip.Writer }

func (f flusher) Write(b []byte) (int, error) {
	n, err := f.Writer.Write(b)
	if err == nil {
		err = f.Flush()
	}
	return n, err
}

// chunkedBody sends a stream in chunks that split pictures anywhere.
func chunkedBody(w io.Writer, pictures [][]byte) error {
	return (&httpCamera{}).stream(chunker{w}, pictures)
}

// chunker sends each write as chunks of at most 1,000 bytes.
type chunker struct{ w io.Writer }

func (c chunker) Write(b []byte) (int, error) {
	var out []byte
	for rest := b; len(rest) > 0; {
		n := min(len(rest), 1000)
		out = append(append(append(out, fmt.Sprintf("%x\r\n", n)...), rest[:n]...), "\r\n"...)
		rest = rest[n:]
	}
	_, err := c.w.Write(out)
	return len(b), err
}

// addParts adds the rows about the bytes between the pictures of a stream.
func addParts(add addHTTP) {
	part := func(p string) httpCamera { return httpCamera{part: p} }
	const kind = "Content-Type: image/jpeg\r\n"
	add("no length of a part", "AlexxIT/go2rtc#1833", Reads, Reads, Reads, part("--frame\r\n"+kind+"\r\n"))
	add("length of a part -1", "Motion-Project/motion#660", Reads, Reads, Reads, part("--frame\r\n"+kind+"Content-Length: -1\r\n\r\n"))
	add("dashes in the boundary parameter", "janakj/py-mjpeg#2", Reads, Reads, Reads, httpCamera{head: strings.Replace(streamHead, "=frame", "=--frame", 1)})
	add("a blank before the = of the boundary", "Motion-Project/motion#1187", Reads, Reads, Reads, httpCamera{head: strings.Replace(streamHead, "=frame", " =frame", 1)})
	add("no boundary before the first part", "yoursunny/esp32cam#67", Refuses, Reads, Reads, httpCamera{part: kind + "Content-Length: LENGTH\r\n\r\n", after: "\r\n--frame\r\n"})
	add("two boundaries", "AlexxIT/go2rtc#1258", Refuses, Reads, Reads, part("--frame\r\n--frame\r\n"+kind+"Content-Length: LENGTH\r\n\r\n"))
	add("no line end after the boundary", "roflcoopter/viseron#355", Refuses, Reads, Reads, part("--frame"+kind+"Content-Length: LENGTH\r\n\r\n"))
	add("another boundary than announced", own, Reads, Reads, Reads, part("--other\r\n"+kind+"Content-Length: LENGTH\r\n\r\n"))
	add("a head line of a part without a colon", own, Refuses, Reads, Reads, part("--frame\r\n12:00 oclock\r\nbad line\r\n"+kind+"Content-Length: LENGTH\r\n\r\n"))
	add("text parts between", own, Reads, Reads, Reads, httpCamera{after: "\r\n--frame\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello\r\n"})
	add("parts of H.264 with dashes at both ends", "AlexxIT/go2rtc#545", Refuses, Refuses, "H.264 (video/x-h264): use the camera's rtsp:// address", httpCamera{
		head: strings.Replace(streamHead, "=frame", "=data-boundary--", 1), part: "--data-boundary--\r\nContent-Type: video/x-h264\r\nContent-Length: LENGTH\r\n\r\n",
		picture: func(int, []byte) []byte { return []byte{0, 0, 0, 1, 0x65, 0x88, 0x84, 0x00} },
	})
	add("a comment of 60 KB in each picture", own, Reads, Reads, Reads, httpCamera{picture: func(_ int, j []byte) []byte {
		return insert(j, 2, append([]byte{0xff, 0xfe, 0xea, 0x60}, make([]byte, 60000-2)...))
	}})
}

// addStills adds cameras that answer each request with one picture.
func addStills(add addHTTP) {
	still := func(head string) httpCamera { return httpCamera{still: true, head: head} }
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
	add("a still", "RFC 9110", Reads, Reads, Reads, httpCamera{still: true})
	add("a still whose length is 2 bytes short", own, Reads, Reads, Reads, httpCamera{still: true, picture: func(_ int, j []byte) []byte { return j[:len(j)-2] }})
	add("a still whose length is too large", own, Reads, Reads, Reads, still(strings.Replace(stillHead, "LENGTH", "999999", 1)))
	add("a still without a length", own, Reads, Reads, Reads, still(ok+"\r\n"))
	add("a still with a bare date as a head line", "home-assistant/core#14960", Reads, Reads, Reads, still("HTTP/1.1 200 OK\r\nServer: GoaHead\r\nTue, 12 Jun 2012 01:56:34 GMT\r\nContent-Type:image/jpeg\r\nContent-Length:LENGTH\r\nConnection: close\r\n\r\n"))
	add("a still as text/html", own, Reads, Reads, Reads, still("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: LENGTH\r\n\r\n"))
	add("half a still", own, Reads, Reads, "% of it is there", httpCamera{still: true, picture: func(_ int, j []byte) []byte { return j[:len(j)*2/3] }})
	add("a picture of another kind", own, Refuses, Refuses, "image/png", httpCamera{still: true, head: "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n", body: func(w io.Writer, _ [][]byte) error {
		_, err := io.WriteString(w, "\x89PNG\r\n\x1a\n")
		return err
	}})
}

// addChallenges adds cameras that ask for a password.
func addChallenges(add addHTTP) {
	for _, row := range []struct {
		name, report string
		ffmpeg, curl Result
		challenge    []string
		accept       string // in the answer
	}{
		{"Basic", "RFC 7617", Reads, Reads, []string{`Basic realm="cam"`}, "Basic "},
		{"Digest", "RFC 7616", Reads, Reads, []string{`Digest realm="cam", nonce="n", qop="auth"`}, "Digest "},
		{"Digest after Basic in one line", own, Refuses, Reads, []string{`Basic realm="cam", Digest realm="cam", nonce="n", qop="auth"`}, "Digest "},
		{"Digest with SHA-256 only", "IOTechSystems/onvif#41", Refuses, Reads, []string{`Digest realm="cam", nonce="n", qop="auth", algorithm=SHA-256`}, "SHA-256"},
		{"Digest with SHA-512-256 before MD5", own, Reads, Reads, []string{`Digest realm="cam", nonce="n", qop="auth", algorithm=SHA-512-256`, `Digest realm="cam", nonce="n", qop="auth", algorithm=MD5`}, "Digest "},
		{"Digest with quotes in the realm", own, Refuses, Reads, []string{`Digest realm="the \"cam\"", nonce="n", qop="auth"`}, `realm="the \"cam\""`},
		{"Digest with auth-int first", own, Refuses, Reads, []string{`Digest realm="cam", nonce="n", qop="auth-int, auth"`}, "qop=auth,"},
		{"Digest without qop", "scottlamb/retina#62", Reads, Reads, []string{`Digest realm="Login to cam", nonce="n"`}, "Digest "},
	} {
		add(row.name, row.report, row.ffmpeg, row.curl, Reads, httpCamera{answer: func(w io.Writer, r *http.Request) bool {
			if strings.Contains(r.Header.Get("Authorization"), row.accept) {
				return false
			}
			_, _ = io.WriteString(w, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\nWWW-Authenticate: "+strings.Join(row.challenge, "\r\nWWW-Authenticate: ")+"\r\n\r\n")
			return true
		}})
	}
	add("NTLM", own, Refuses, Refuses, "kind of authentication that is not known", httpCamera{answer: func(w io.Writer, _ *http.Request) bool {
		_, _ = io.WriteString(w, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: NTLM\r\n\r\n")
		return true
	}})
}

// insert returns b with more at an index.
func insert(b []byte, at int, more []byte) []byte {
	return append(append(bytes.Clone(b[:at]), more...), b[at:]...)
}
