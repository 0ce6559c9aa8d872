package rtsp

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"kerb/drivers/camera/auth"
)

// serveBasic answers every request with a challenge for Basic. heard returns all that it
// was sent, once the client is gone.
func serveBasic(t *testing.T) (address *url.URL, heard func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			in := textproto.NewReader(bufio.NewReader(c))
			for {
				line, err := in.ReadLine()
				if err != nil {
					break
				}
				head, err := in.ReadMIMEHeader()
				if err != nil {
					break
				}
				fmt.Fprintln(&text, line, head)
				fmt.Fprintf(c, "RTSP/1.0 401 Unauthorized\r\nCSeq: %s\r\nWWW-Authenticate: Basic realm=\"cam\"\r\n\r\n", head.Get("CSeq"))
			}
			c.Close()
		}
	})
	address, err = url.Parse("rtsp://" + l.Addr().String() + "/live")
	if err != nil {
		t.Fatal(err)
	}
	return address, func() string {
		l.Close()
		clients.Wait()
		return text.String()
	}
}

// A camera that takes Basic alone gets no password without TLS, unless site.toml allows it:
// the control.
func TestACameraThatTakesBasicAloneGetsNoPassword(t *testing.T) {
	secret := base64.StdEncoding.EncodeToString([]byte("user:hush-hush"))
	for _, refuse := range []bool{true, false} {
		address, heard := serveBasic(t)
		s, err := Open(t.Context(), address, Opts{User: "user", Password: "hush-hush", RefuseBasic: refuse, Connect: time.Minute})
		if err == nil {
			s.Close()
			t.Fatal("a session with a camera that lets no one in")
		}
		text := heard()
		if !strings.Contains(text, "rtsp://") {
			t.Fatalf("control: the camera was asked nothing: %q, %v", text, err)
		}
		if sent := strings.Contains(text, secret) || strings.Contains(text, "hush"); sent == refuse || strings.Contains(text, "Authorization") == refuse {
			t.Errorf("Basic refused %t: the password was sent: %t\n%s", refuse, sent, text)
		}
		if errors.Is(err, auth.ErrBasic) != refuse {
			t.Errorf("Basic refused %t: %v", refuse, err)
		}
	}
}
