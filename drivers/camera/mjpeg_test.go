package camera

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// camera serves one response: a Content-Type and a body.
func camera(tb testing.TB, contentType string, body []byte) string {
	tb.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.Write(body)
	}))
	tb.Cleanup(s.Close)
	return s.URL + "/video"
}

// dial is OpenMJPEG for a test.
func dial(tb testing.TB, address string, l Limits, o HTTPOpts) *MJPEG {
	tb.Helper()
	m, err := OpenMJPEG(tb.Context(), address, l, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
}

func TestCamerasThatBendTheRulesAreRead(t *testing.T) {
	all := pictures(t, 4)
	join := func(before, after string) []byte {
		var b bytes.Buffer
		for _, p := range all {
			b.WriteString(strings.ReplaceAll(before, "LENGTH", fmt.Sprint(len(p))))
			b.Write(p)
			b.WriteString(after)
		}
		return b.Bytes()
	}
	const std = "multipart/x-mixed-replace; boundary=frame"
	for name, c := range map[string]struct {
		kind          string
		before, after string
	}{
		"by the book":                  {std, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: LENGTH\r\n\r\n", "\r\n"},
		"no length":                    {std, "--frame\r\nContent-Type: image/jpeg\r\n\r\n", "\r\n"},
		"dashes in the parameter":      {"multipart/x-mixed-replace;boundary=--frame", "--frame\r\nContent-Type: image/jpeg\r\n\r\n", "\r\n"},
		"more dashes in the body":      {std, "----frame\r\nContent-Type: image/jpeg\r\n\r\n", "\r\n"},
		"quotes":                       {`multipart/x-mixed-replace; boundary="frame"; x=y`, "--frame\r\nContent-Type: image/jpeg\r\n\r\n", "\r\n"},
		"no parameter":                 {"multipart/x-mixed-replace", "--anything\r\nContent-Type: image/jpeg\r\n\r\n", "\r\n"},
		"another boundary":             {std, "--other\r\nContent-Type: image/jpeg\r\n\r\n", "\r\n"},
		"bare line feeds":              {std, "--frame\nContent-Type: image/jpeg\n\n", "\n"},
		"length too small":             {std, "--frame\r\nContent-Length: 17\r\n\r\n", "\r\n"},
		"length too large":             {std, "--frame\r\nContent-Length: 99999999\r\n\r\n", "\r\n"},
		"length that is no number":     {std, "--frame\r\nContent-Length: many\r\n\r\n", "\r\n"},
		"no line end before boundary":  {std, "--frame\r\nContent-Type: image/jpeg\r\n\r\n", ""},
		"no head":                      {std, "--frame\r\n", "\r\n"},
		"no empty line after the head": {std, "--frame\r\nContent-Type: image/jpeg\r\n", "\r\n"},
		"no boundary":                  {std, "Content-Type: image/jpeg\r\n\r\n", "\r\n"},
		"two empty lines":              {std, "--frame\r\nContent-Type: image/jpeg\r\n\r\n\r\n", "\r\n"},
		"odd letters":                  {"Multipart/X-Mixed-Replace; Boundary=frame", "--frame\r\nCONTENT-type:image/JPEG\r\n\r\n", "\r\n"},
		"padding after pictures":       {std, "--frame\r\nContent-Type: image/jpeg\r\n\r\n", strings.Repeat("\x00", 900) + "\r\n"},
		"more keys":                    {std, "--frame\r\nX-Timestamp: 12.5\r\nContent-Type: image/jpeg\r\nFoo: " + strings.Repeat("x", 900) + "\r\n\r\n", "\r\n"},
		"multipart/mixed":              {"multipart/mixed; boundary=frame", "--frame\r\nContent-Type: image/jpeg\r\n\r\n", "\r\n"},
		"pictures alone":               {"video/x-motion-jpeg", "", ""},
		"bytes of an unknown kind":     {"application/octet-stream", "", "\r\n"},
		"no Content-Type":              {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			plays(t, dial(t, camera(t, c.kind, join(c.before, c.after)), Limits{}, HTTPOpts{}), all)
		})
	}
}

func TestForeignPartIsNamedAndPassedOver(t *testing.T) {
	all := pictures(t, 2)
	const good = "--frame\r\nContent-Type: image/jpeg\r\n\r\n"
	for name, c := range map[string]struct{ part, want string }{
		"text":           {"--frame\r\nContent-Type: text/plain\r\n\r\nnight mode\r\n", `picture 1: part is no JPEG picture but text (text/plain)`},
		"another format": {"--frame\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n....\r\n", `picture 1: part is no JPEG picture but another kind of picture (image/png)`},
		"nothing":        {"--frame\r\nContent-Type: image/jpeg\r\n\r\n\r\n", "picture 1: part is empty"},
		"a long head":    {"--frame\r\n" + strings.Repeat("Key: 0123456789012345678901234567890123456789\r\n", 300) + "\r\nx\r\n", "picture 1: its head has more than 8192 bytes"},
		"a long line":    {"--frame\r\nKey: " + strings.Repeat("x", 9000) + "\r\n\r\nx\r\n", "picture 1: a line of its head has more than 4096 bytes"},
		"a long body":    {"--frame\r\n\r\n" + strings.Repeat("x", 9000) + "\r\n", `picture 1: part is no JPEG picture`},
		"half a picture": {good + string(all[1][:800]) + "\r\n", "picture 1: jpeg: picture is cut short: 29 % of it is there"},
		"a long picture": {good + string(all[1][:len(all[1])-2]) + strings.Repeat("x", 20000) + "\r\n", "picture 1: has more than 10000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			body := good + string(all[0]) + "\r\n" + c.part + good + string(all[1]) + "\r\n--frame--\r\n"
			m := dial(t, camera(t, "multipart/x-mixed-replace; boundary=frame", []byte(body)), Limits{MaxBytes: 10000}, HTTPOpts{})
			dst := make([]byte, 83*61)
			_, before := m.ReadInto(t.Context(), dst)
			_, err := m.ReadInto(t.Context(), dst)
			_, after := m.ReadInto(t.Context(), dst)
			_, end := m.ReadInto(t.Context(), dst)
			if before != nil || !isBadFrame(err) || err.Error() != c.want || after != nil || end != io.EOF {
				t.Errorf("errors %v, %v, %v, %v; the second must be %q", before, err, after, end, c.want)
			}
		})
	}
}

func TestCameraThatIsNoneIsRefused(t *testing.T) {
	status := func(code int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	const std = "multipart/x-mixed-replace; boundary=frame"
	for name, c := range map[string]struct{ address, want string }{
		"a page":             {camera(t, "text/html; charset=utf-8", []byte("hello")), `camera sends a web page (text/html): must be multipart/x-mixed-replace`},
		"a snapshot":         {camera(t, "image/jpeg", pictures(t, 1)[0]), "camera sends a single picture"},
		"not found":          {status(404), "camera answers 404 Not Found"},
		"nothing":            {camera(t, std, nil), "no JPEG picture came"},
		"endless text":       {camera(t, std, bytes.Repeat([]byte("hello\r\n"), 50000)), "no JPEG picture in "},
		"endless line":       {camera(t, std, bytes.Repeat([]byte("hello"), 50000)), "no JPEG picture in "},
		"only foreign parts": {camera(t, std, []byte("--frame\r\nContent-Type: text/plain\r\n\r\nx\r\n--frame\r\n")), `part is no JPEG picture but text (text/plain)`},
		"a huge picture":     {camera(t, std, bomb(t)), "picture of 30000×30000 is too large"},
		"nobody there":       {"http://127.0.0.1:1/", "connection refused"},
	} {
		_, err := OpenMJPEG(t.Context(), c.address, Limits{MaxBytes: 30000}, HTTPOpts{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), c.address+": ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for _, address := range []string{"", "camera", "ftp://camera/", "http://", "http://bad%zzhost/", "://"} {
		if _, err := OpenMJPEG(t.Context(), address, Limits{}, HTTPOpts{}); err == nil || !strings.HasPrefix(err.Error(), "camera address:") {
			t.Errorf("%q: error %v", address, err)
		}
	}
}

// guarded is a camera that asks for a password in its way.
func guarded(tb testing.TB, challenge []string, accept func(auth string) bool) string {
	tb.Helper()
	body := pictures(tb, 1)[0]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth := r.Header.Get("Authorization")
		if auth == "" || !accept(auth) {
			for _, c := range challenge {
				w.Header().Add("WWW-Authenticate", c)
			}
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "video/mjpeg")
		w.Write(body)
	}))
	tb.Cleanup(s.Close)
	return s.URL + "/video?ch=1"
}

func TestCameraGetsThePasswordThatItAsksFor(t *testing.T) {
	const basic = "Basic YWRtaW46aHVudGVyMg=="
	o := HTTPOpts{User: "admin", Password: "hunter2"}
	digests := func(fresh func() hash.Hash) func(string) bool {
		return func(given string) bool { // RFC 7616, section 3.4.1
			value := func(key string) string {
				_, rest, _ := strings.Cut(given, key+`="`)
				v, _, _ := strings.Cut(rest, `"`)
				return v
			}
			h := func(s string) string {
				d := fresh()
				io.WriteString(d, s)
				return hex.EncodeToString(d.Sum(nil))
			}
			return strings.HasPrefix(given, "Digest ") && value("response") == h(
				h("admin:cam, era:hunter2")+":n0:00000001:"+value("cnonce")+":auth:"+h("GET:/video?ch=1"))
		}
	}
	for name, c := range map[string]struct {
		challenge []string
		accept    func(string) bool
	}{
		"basic":            {[]string{`Basic realm="x"`}, func(a string) bool { return a == basic }},
		"digest":           {[]string{`Digest realm="cam, era", nonce="n0", qop="auth,auth-int", opaque="o0"`}, digests(md5.New)},
		"digest, SHA-256":  {[]string{`Digest realm="cam, era",nonce="n0",qop=auth,opaque="o0",algorithm=SHA-256`}, digests(sha256.New)},
		"the best of both": {[]string{`Basic realm="x"`, `DIGEST realm="cam, era", nonce="n0", qop="auth", opaque="o0"`}, digests(md5.New)},
		"basic after a strange digest": {
			[]string{`Digest realm="x", nonce="n", algorithm=SHA3`, `Basic realm="x"`},
			func(a string) bool { return a == basic },
		},
	} {
		t.Run(name, func(t *testing.T) {
			address := guarded(t, c.challenge, c.accept)
			dial(t, address, Limits{}, o)
			dial(t, strings.Replace(address, "//", "//admin:hunter2@", 1), Limits{}, HTTPOpts{})
			if _, err := OpenMJPEG(t.Context(), address, Limits{}, HTTPOpts{User: "admin", Password: "wrong"}); err == nil ||
				!strings.HasSuffix(err.Error(), "camera refuses the user or the password") {
				t.Errorf("wrong password: %v", err)
			}
			if _, err := OpenMJPEG(t.Context(), address, Limits{}, HTTPOpts{}); err == nil ||
				!strings.HasSuffix(err.Error(), "camera asks for a user and a password") {
				t.Errorf("no password: %v", err)
			}
		})
	}
}

func TestErrorsNeverHoldWhatIsSecret(t *testing.T) {
	away := httptest.NewServer(http.RedirectHandler("http://other.example/?token=s3cret", http.StatusFound))
	t.Cleanup(away.Close)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for name, address := range map[string]string{
		"refused connection": "http://admin:hunter2@127.0.0.1:1/x?token=s3cret",
		"no such name":       "http://admin:hunter2@no-such-camera.invalid/x?token=s3cret",
		"not found":          strings.Replace(camera(t, "text/html", nil), "//", "//admin:hunter2@", 1) + "?token=s3cret",
		"wrong password":     strings.Replace(guarded(t, []string{"Basic"}, func(string) bool { return false }), "//", "//admin:hunter2@", 1),
		"other host":         strings.Replace(away.URL, "//", "//admin:hunter2@", 1) + "/?token=s3cret",
		"no answer":          "http://admin:hunter2@" + silent.Addr().String() + "/?token=s3cret",
		"no address":         "http://admin:hunter2@ca mera/?token=s3cret",
		"control characters": "http://admin:hunter2@camera/\x01?token=s3cret",
		"no port":            "http://admin:hunter2@camera:http/?token=s3cret",
	} {
		_, err := OpenMJPEG(t.Context(), address, Limits{}, HTTPOpts{Live: Live{Connect: 100 * time.Millisecond}})
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, secret := range []string{"admin", "hunter2", "s3cret"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: error tells %s: %v", name, secret, err)
			}
		}
	}
}

func TestRedirectsAreFollowedOnTheSameHostOnly(t *testing.T) {
	body := pictures(t, 1)[0]
	hops := http.NewServeMux()
	s := httptest.NewServer(hops)
	t.Cleanup(s.Close)
	hops.Handle("/first", http.RedirectHandler("/second", http.StatusMovedPermanently))
	hops.Handle("/second", http.RedirectHandler(s.URL+"/video", http.StatusTemporaryRedirect))
	hops.Handle("/circle", http.RedirectHandler("/circle", http.StatusFound))
	hops.Handle("/away", http.RedirectHandler("http://other.example/x?a=b", http.StatusFound))
	hops.Handle("/nowhere", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) }))
	hops.Handle("/video", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "video/mjpeg")
		w.Write(body)
	}))
	plays(t, dial(t, s.URL+"/first", Limits{}, HTTPOpts{}), [][]byte{body})
	for path, want := range map[string]string{
		"/circle":  "camera redirects in circles",
		"/away":    "camera redirects to another host: not followed",
		"/nowhere": "camera redirects to nowhere",
	} {
		if _, err := OpenMJPEG(t.Context(), s.URL+path, Limits{}, HTTPOpts{}); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

func TestCameraThatStallsIsGivenUp(t *testing.T) {
	m := dial(t, serve(t, pictures(t, 2), true), Limits{}, HTTPOpts{Live: Live{Stall: 50 * time.Millisecond}})
	got, err := read(t, m)
	if len(got) != 2 || err == nil || !strings.HasSuffix(err.Error(), "no picture for 50ms") {
		t.Errorf("%d pictures, then %v", len(got), err)
	}
	if _, again := read(t, m); again == nil || again.Error() != err.Error() {
		t.Errorf("the second time: %v", again)
	}
}

func TestCameraThatNeverAnswersIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := "http://" + l.Addr().String() + "/"
	if _, err := OpenMJPEG(t.Context(), address, Limits{}, HTTPOpts{Live: Live{Connect: 50 * time.Millisecond}}); !errors.Is(err, errStall) {
		t.Errorf("limit: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := OpenMJPEG(ctx, address, Limits{}, HTTPOpts{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := OpenMJPEG(t.Context(), serve(t, nil, true), Limits{}, HTTPOpts{Live: Live{Connect: 50 * time.Millisecond}}); !errors.Is(err, errStall) {
		t.Errorf("no first picture: %v", err)
	}
}

func TestCameraOutlivesTheContextItWasOpenedWith(t *testing.T) {
	all := pictures(t, 5)
	ctx, cancel := context.WithCancel(t.Context())
	m, err := OpenMJPEG(ctx, serve(t, all, false), Limits{}, HTTPOpts{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	cancel()
	plays(t, m, all)
}

func TestCameraOverTLSIsReachedByACustomDialler(t *testing.T) {
	body := pictures(t, 1)[0]
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "video/mjpeg")
		w.Write(body)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the refusal below is meant
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	o := HTTPOpts{
		TLS: &tls.Config{RootCAs: roots},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
		},
	}
	plays(t, dial(t, "https://example.com/video", Limits{}, o), [][]byte{body})
	o.TLS = nil
	if _, err := OpenMJPEG(t.Context(), "https://example.com/video", Limits{}, o); err == nil {
		t.Error("unknown certificate: no error")
	}
}

// footage is a clip, or the test is skipped.
func footage(tb testing.TB, clip string) string {
	tb.Helper()
	path := filepath.Join(os.Getenv("KERB_SHARED"), "footage", clip)
	if os.Getenv("KERB_SHARED") == "" {
		path = filepath.Join("..", "..", "..", "shared", "footage", clip)
	}
	if _, err := os.Stat(path); err != nil {
		tb.Skip("no footage: set KERB_SHARED or put shared/footage beside the module")
	}
	return path
}

func TestClipOverHTTPIsTheClip(t *testing.T) {
	clip := footage(t, "jamcam_tooley.avi")
	from, err := OpenAVI(clip, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	var parts [][]byte
	for {
		src, err := from.readFrame()
		if err != nil {
			break
		}
		parts = append(parts, bytes.Clone(src))
	}
	again, err := OpenAVI(clip, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	m := dial(t, serve(t, parts, false), Limits{}, HTTPOpts{})
	w, h := m.Size()
	a, b := make([]byte, w*h), make([]byte, w*h)
	for i := range again.Frames() {
		_, one := again.ReadInto(t.Context(), a)
		_, two := m.ReadInto(t.Context(), b)
		if one != nil || two != nil || !bytes.Equal(a, b) {
			t.Fatalf("picture %d differs (%v, %v)", i, one, two)
		}
	}
}
