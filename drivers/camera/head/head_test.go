package head

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// read returns the head and the body as one text.
func read(src io.Reader) (string, error) {
	r := NewReader(src)
	m, err := r.ReadResponse()
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(r)
	out := fmt.Sprint(m.Status)
	for _, f := range m.Fields {
		out += "|" + f.Name + "=" + f.Value
	}
	return out + "|" + string(body), err
}

func TestHeadsAreReadAsCamerasSendThem(t *testing.T) {
	const want = "200|A=b|body"
	for name, head := range map[string]string{
		"by the book":            "HTTP/1.1 200 OK\r\nA: b\r\n\r\n",
		"line feeds":             "HTTP/1.1 200 OK\nA: b\n\n",
		"no reason":              "HTTP/1.1 200\r\nA: b\r\n\r\n",
		"blanks":                 "HTTP/1.1  200  OK \r\nA :b \r\n\r\n",
		"two status lines":       "HTTP/1.0 200 OK\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n",
		"empty lines before":     "\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n",
		"a bare date":            "HTTP/1.1 200 OK\r\nTue, 12 Jun 2012 01:56:34 GMT\r\nA: b\r\n\r\n",
		"a name with a blank":    "HTTP/1.1 200 OK\r\nContent Type: x\r\nA: b\r\n\r\n",
		"no name":                "HTTP/1.1 200 OK\r\n: x\r\nA: b\r\n\r\n",
		"a control character":    "HTTP/1.1 200 OK\r\nX: \x00\r\nA: b\r\n\r\n",
		"a fold at the start":    "HTTP/1.1 200 OK\r\n X: y\r\nA: b\r\n\r\n",
		"a long line":            "HTTP/1.1 200 OK\r\n" + strings.Repeat("x", 20000) + "\r\nA: b\r\n\r\n",
		"interim response":       "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n",
		"Shoutcast":              "ICY 200 OK\r\nA: b\r\n\r\n",
		"RTSP":                   "RTSP/1.0 200 OK\r\nA: b\r\n\r\n",
		"a carriage return more": "HTTP/1.1 200 OK\r\r\nA: b\r\r\n\r\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, src := range []io.Reader{strings.NewReader(head + "body"), iotest.OneByteReader(strings.NewReader(head + "body"))} {
				if got, err := read(src); got != want || err != nil {
					t.Errorf("reads %q, %v; must be %q", got, err, want)
				}
			}
		})
	}
}

func TestAPictureEndsAHead(t *testing.T) {
	const picture = "\xff\xd8\xff\xe0picture\n\r\n\r\n"
	for head, want := range map[string]string{
		"":                                "200|" + picture,
		"HTTP/1.1 200 OK\r\nA: b\r\n":     "200|A=b|" + picture,
		"HTTP/1.1 200 OK\r\nA: b\r\n\r\n": "200|A=b|" + picture,
	} {
		if got, err := read(iotest.HalfReader(strings.NewReader(head + picture))); got != want || err != nil {
			t.Errorf("%q: reads %q, %v", head, got, err)
		}
	}
}

func TestABrokenHeadIsRefusedWithoutQuotingIt(t *testing.T) {
	scan := strings.Repeat("\xc3secret\x9a", 20000)
	for name, c := range map[string]struct {
		src  string
		want error
	}{
		"no end":          {"HTTP/1.1 200 OK\r\nX-" + scan, ErrNoEnd},
		"no status":       {"secret\r\n\r\n", ErrNoStatus},
		"binary":          {"\x01\x02secret\r\n\r\n", ErrNoStatus},
		"nothing":         {"", io.EOF},
		"ends in a head":  {"HTTP/1.1 200 OK\r\nsecret: x\r\n", io.ErrUnexpectedEOF},
		"ends in a start": {"HTTP/1.1 2", io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(strings.NewReader(c.src))
			if !errors.Is(err, c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, must be %v", err, c.want)
			}
		})
	}
}

func TestWhatWasHandedOnIsOverwritten(t *testing.T) {
	r := NewReader(strings.NewReader("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"))
	if _, err := r.ReadResponse(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	if strings.Trim(string(r.buf[:]), "\x00") != "" {
		t.Errorf("still holds %q", r.buf)
	}
}

func FuzzHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n x\r\n\r\n\xff\xd8\xff\xe0"))
	f.Add([]byte("RTSP/1.0 401\nWWW-Authenticate : Digest realm=\"x\"\n\n$\x00\x00\x04abcd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got [2]string
		for i, src := range []io.Reader{strings.NewReader(string(data)), iotest.OneByteReader(strings.NewReader(string(data)))} {
			r := NewReader(src)
			m, err := r.ReadMessage()
			if err != nil {
				got[i] = err.Error()
				continue
			}
			clean := string(m.Append(nil))
			again, err := NewReader(strings.NewReader(clean)).ReadMessage()
			if m.Start != "" && (err != nil || string(again.Append(nil)) != clean) {
				t.Fatalf("%q is read as %v, %v", clean, again, err)
			}
			body, _ := io.ReadAll(r)
			got[i] = clean + string(body)
		}
		if got[0] != got[1] {
			t.Errorf("%q in one piece, %q in small ones", got[0], got[1])
		}
	})
}
