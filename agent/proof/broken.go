package proof

import (
	"bytes"
	"fmt"
	"net/http"
	"time"
)

// brokenHeads are the answers of a camera that breaks the rules of HTTP, each followed
// by a picture: firmware that gets the ends of head lines wrong is in use
// (thingino-firmware#173, wz_mini_hacks#538).
var brokenHeads = []string{
	"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nX-", // the head has no end
	"",          // there is no head
	"HTTP/1.1 ", // no status
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: image/jpeg\r\n\r\n",                     // no chunk
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: image/jpeg\r\n\r\n1\r\n\xff\r\n0\r\nX-", // a trailer
	"HTTP/1.1 302 Found\r\nLocation: http://",                                                               // a place to go
	"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n--frame\r\nContent-Type: ",
}

// brokenPause is the time for which a broken answer stays open, chosen by hand.
const brokenPause = 200 * time.Millisecond

// serveBroken answers each request with the next of brokenHeads and the mark behind it.
func (t *Trial) serveBroken(w http.ResponseWriter, r *http.Request) {
	n := int((t.broken.Add(1) + t.start.UnixNano()) % int64(len(brokenHeads))) // a trial sees a few of them
	picture, err := t.mark.EncodeJPEG(n)
	if err != nil {
		return
	}
	answer := append([]byte(brokenHeads[n]), picture...)
	if n%2 == 0 { // the mark as text, which a head may hold
		answer = append([]byte(brokenHeads[n]), bytes.Repeat(append(t.mark.Bytes(), "\r\n"...), 4)...)
	}
	t.writeRaw(w, answer)
}

// serveShortLength answers with a picture whose declared length leaves out what
// follows it.
func (t *Trial) serveShortLength(w http.ResponseWriter, r *http.Request) {
	picture, err := t.mark.EncodeJPEG(int(t.broken.Add(1)))
	if err != nil {
		return
	}
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", len(picture))
	t.writeRaw(w, append(append([]byte(head), picture...), bytes.Repeat(t.mark.Bytes(), 20)...))
}

// writeRaw writes bytes to the connection of a request, and closes it after a moment.
func (t *Trial) writeRaw(w http.ResponseWriter, answer []byte) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write(answer)
	time.Sleep(brokenPause)
}
