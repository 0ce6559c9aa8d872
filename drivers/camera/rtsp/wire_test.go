package rtsp

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"time"
)

// partner is the camera's end of a wire in a test.
type partner struct {
	t    *testing.T
	conn net.Conn
	in   *textproto.Reader
}

// newPartner returns a wire, and its other end.
func newPartner(t *testing.T) (*wire, *partner) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	asked, err := url.Parse("rtsp://camera/live")
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(near, asked, "user", "password")
	go io.Copy(io.Discard, w) // the library
	return w, &partner{t, far, textproto.NewReader(bufio.NewReader(far))}
}

// ask sends a request as the library does.
func ask(w *wire, method string) {
	fmt.Fprintf(w, "%s rtsp://camera/live RTSP/1.0\r\nCSeq: 1\r\n\r\n", method)
}

// expect reads a request and answers it. It returns its Authorization.
func (p *partner) expect(method, answer string) string {
	p.t.Helper()
	line, err := p.in.ReadLine()
	if err != nil {
		p.t.Fatal(err)
	}
	head, err := p.in.ReadMIMEHeader()
	if err != nil {
		p.t.Fatal(err)
	}
	if !strings.HasPrefix(line, method+" ") {
		p.t.Errorf("asks %s, must ask %s", line, method)
	}
	if answer != "" {
		fmt.Fprintf(p.conn, "RTSP/1.0 %s\r\nCSeq: %s\r\n\r\n", answer, head.Get("CSeq"))
	}
	return head.Get("Authorization")
}

// awaitAnswers waits until the wire has seen the answers to all requests.
func awaitAnswers(w *wire) {
	for {
		w.mu.Lock()
		n := len(w.pending)
		w.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

const challenge = "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"%s\", stale=%v"

func TestAKeepaliveTakesTheNewNonce(t *testing.T) {
	w, camera := newPartner(t)
	go ask(w, "PLAY")
	camera.expect("PLAY", fmt.Sprintf(challenge, "one", false))
	if a := camera.expect("PLAY", "200 OK"); !strings.Contains(a, `nonce="one"`) {
		t.Errorf("answers %s", a)
	}
	for _, nonce := range []string{"two", "three"} { // as at a camera whose nonces live for seconds
		go ask(w, "GET_PARAMETER")
		camera.expect("GET_PARAMETER", fmt.Sprintf(challenge, nonce, nonce == "two"))
		if a := camera.expect("GET_PARAMETER", "200 OK"); !strings.Contains(a, `nonce="`+nonce+`"`) {
			t.Errorf("answers %s to the nonce %s", a, nonce)
		}
	}
}

func TestAKeepaliveThatIsRefusedIsSentByAnotherMethod(t *testing.T) {
	w, camera := newPartner(t)
	go ask(w, "PLAY")
	camera.expect("PLAY", "200 OK")
	awaitAnswers(w)
	for _, method := range []string{"GET_PARAMETER", "OPTIONS", "SET_PARAMETER", "GET_PARAMETER"} {
		go ask(w, "GET_PARAMETER")
		camera.expect(method, "454 Session Not Found")
		awaitAnswers(w)
	}
	// A camera that refuses it with the number of an earlier request: scottlamb/retina#133.
	go ask(w, "GET_PARAMETER")
	camera.expect("OPTIONS", "400 Bad Request\r\nCSeq: 1")
	awaitAnswers(w)
	go ask(w, "GET_PARAMETER")
	camera.expect("SET_PARAMETER", "400 Bad Request")
	awaitAnswers(w)
	go ask(w, "GET_PARAMETER")
	camera.expect("GET_PARAMETER", "400 Bad Request")
	awaitAnswers(w)
	for range 2 * maxPending { // a camera that answers no keepalive: ZLMediaKit#642
		go ask(w, "GET_PARAMETER")
		camera.expect("OPTIONS", "")
	}
	go ask(w, "TEARDOWN")
	camera.expect("TEARDOWN", "200 OK")
}

func TestARequestOfTheCameraIsAnswered(t *testing.T) {
	_, camera := newPartner(t)
	for method, want := range map[string]string{"OPTIONS": "RTSP/1.0 200 OK", "SET_PARAMETER": "RTSP/1.0 200 OK", "RECORD": "RTSP/1.0 501 Not Implemented"} {
		go fmt.Fprintf(camera.conn, "%s rtsp://client RTSP/1.0\r\nCSeq: 7\r\nContent-Length: 3\r\n\r\na:b", method)
		line, err := camera.in.ReadLine()
		if err != nil || line != want {
			t.Errorf("%s is answered %q, %v", method, line, err)
		}
		if head, err := camera.in.ReadMIMEHeader(); err != nil || head.Get("CSeq") != "7" {
			t.Errorf("%s: %v, %v", method, head, err)
		}
	}
}
