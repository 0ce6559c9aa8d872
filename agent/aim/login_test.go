package aim

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestTheThirdViewerIsRefusedWithAPage(t *testing.T) {
	d := openSession(t, nil)
	d.guest()
	second := d.guest()
	third := d.browser()
	for what, got := range map[string]func() (int, string){
		"the front page": func() (int, string) { return third.get("/") },
		"a right code":   func() (int, string) { return third.enterCode(d.code) },
	} {
		if status, body := got(); status != http.StatusServiceUnavailable || !strings.Contains(body, "Two people are aiming already") {
			t.Errorf("%s: %d\n%s", what, status, body)
		}
	}
	if status, _ := third.get("/picture"); status != http.StatusUnauthorized {
		t.Errorf("the stream without a cookie: %d", status)
	}
	if status, body := second.post("/leave", nil); status != http.StatusOK {
		t.Fatalf("leave: %d %s", status, body)
	}
	if status, _ := third.enterCode(d.code); status != http.StatusOK {
		t.Errorf("after one left: %d", status)
	}
	if status, _ := second.get("/plan"); status != http.StatusUnauthorized {
		t.Errorf("who left sees the plan: %d", status)
	}
}

func TestWhoIsAwayForAMinuteGivesUpThePlace(t *testing.T) {
	d := openSession(t, nil)
	first, second := d.guest(), d.guest()
	d.lock(func() { d.now += idleAfter + time.Second })
	if status, _ := second.get("/plan"); status != http.StatusOK {
		t.Fatalf("the second: %d", status)
	}
	d.guest()
	if status, _ := first.get("/plan"); status != http.StatusUnauthorized {
		t.Errorf("the first is still in: %d", status)
	}
	if status, _ := second.get("/plan"); status != http.StatusOK {
		t.Errorf("the second was put out instead: %d", status)
	}
}

func TestGuessingEndsTheSession(t *testing.T) {
	d := openSession(t, nil)
	b := d.browser()
	wrong := func(i int) string { return fmt.Sprintf("%06d", i) }
	for i := range maxWrong {
		code := wrong(i)
		if code == d.code {
			code = wrong(i + 500)
		}
		status, body := b.enterCode(code)
		if status != http.StatusForbidden {
			t.Fatalf("wrong code %d: %d\n%s", i, status, body)
		}
	}
	select {
	case why := <-d.done:
		if why != "locked" {
			t.Errorf("it ended: %s", why)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the session goes on")
	}
	if n := d.hasNoted(); n != "locked" {
		t.Errorf("the account has: %s", n)
	}
	// The right code comes too late, too.
	if _, _, err := d.login.admit(d.code); err != errLocked {
		t.Errorf("the right code afterwards: %v", err)
	}
}

func TestACodeIsGoodOnce(t *testing.T) {
	d := openSession(t, nil)
	code := d.code
	d.guest()
	if d.code == code {
		t.Skip("one in a million: the next code is the same")
	}
	if status, _ := d.browser().enterCode(code); status != http.StatusForbidden {
		t.Errorf("the same code again: %d", status)
	}
}

func TestChangesComeFromThePageOnly(t *testing.T) {
	d := openSession(t, nil)
	b := d.guest()
	plan := Plan{Lines: []Line{{ID: "kerb", From: Point{0, 0.25}, To: Point{1, 0.25}, Classes: []string{"person"}}}}
	stranger := d.browser()
	stranger.token = b.token
	stale := d.browser()
	u, err := url.Parse(d.url)
	if err != nil {
		t.Fatal(err)
	}
	stale.c.Jar.SetCookies(u, []*http.Cookie{{Name: cookieName, Value: strings.Repeat("0", 64)}})
	stale.token = b.token
	for what, got := range map[string]func() (int, string){
		"without a cookie":      func() (int, string) { return stranger.post("/save", plan) },
		"with a stale cookie":   func() (int, string) { return stale.post("/save", plan) },
		"without the token":     func() (int, string) { return b.post("/save", plan, "X-Kerb-Token", "") },
		"with another's token":  func() (int, string) { return b.post("/save", plan, "X-Kerb-Token", strings.Repeat("0", 32)) },
		"from another origin":   func() (int, string) { return b.post("/save", plan, "Origin", "http://evil.example") },
		"across sites":          func() (int, string) { return b.post("/save", plan, "Sec-Fetch-Site", "cross-site") },
		"entering across sites": func() (int, string) { return stranger.post("/enter", plan, "Sec-Fetch-Site", "cross-site") },
	} {
		if status, body := got(); status != http.StatusUnauthorized && status != http.StatusForbidden {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	if len(d.saved) > 0 {
		t.Errorf("saved: %v", d.saved)
	}
	if status, body := b.post("/save", plan); status != http.StatusOK || len(d.saved) != 1 { // the control
		t.Errorf("from the page: %d %s", status, body)
	}
}

func TestANameIsNoAddress(t *testing.T) {
	d := openSession(t, func(o *Opts) { o.HostNames = []string{"pi-0a1b.local", "kerb.local"} })
	for host, want := range map[string]int{
		"rebound.example": http.StatusMisdirectedRequest, "other.local": http.StatusMisdirectedRequest, "pi-0a1b.local.example": http.StatusMisdirectedRequest,
		"pi-0a1b.local:8080": http.StatusOK, "KERB.local": http.StatusOK, "pi-0a1b.local.": http.StatusOK,
	} {
		r, err := http.NewRequest(http.MethodGet, d.url+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != want {
			t.Errorf("asked as %s: %s", host, a.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	for _, h := range []string{"192.168.4.1", "192.168.4.1:8080", "[fe80::1]:8080", "localhost:1"} {
		if !isNumericHost(h) {
			t.Errorf("%s is an address", h)
		}
	}
}

// An engineer chooses the first code for a device without a screen. It works once, and
// the next one is drawn.
func TestAChosenCodeWorksOnce(t *testing.T) {
	for text, want := range map[string]string{
		"427193": "427193", " 427 193\n": "427193", "112233": "112233", "42719": "", "4271934": "", "42719x": "",
		"000000": "", "123456": "", "654321": "", "": "",
	} {
		if code, err := ParseCode(text); code != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, code, err)
		}
	}
	d := openSession(t, func(o *Opts) { o.FirstCode = "427193" })
	if d.code != "427193" {
		t.Fatalf("the first code is %s", d.code)
	}
	if status, _ := d.browser().enterCode("427193"); status != http.StatusOK {
		t.Fatalf("the first viewer: %d", status)
	}
	if status, _ := d.browser().enterCode("427193"); status != http.StatusForbidden {
		t.Errorf("a second viewer by the same code: %d", status)
	}
}

// The headers allow a browser to show the page and no more.
func TestEveryAnswerIsFenced(t *testing.T) {
	d := openSession(t, nil)
	for _, path := range []string{"/", "/style.css", "/page.js", "/words.json", "/picture", "/nothing"} {
		r, err := http.Get(d.url + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		h := r.Header
		if h.Get("Content-Security-Policy") != contentSecurityPolicy || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, h)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	d.guest()
	if !strings.Contains(contentSecurityPolicy, "default-src 'none'") || strings.Contains(contentSecurityPolicy, "unsafe") {
		t.Error(contentSecurityPolicy)
	}
}

// A peer that sends headers a byte at a time is cut off, and cannot use all places.
func TestASlowHandIsCutOffAndTheEngineerGetsIn(t *testing.T) {
	d := openSession(t, nil)
	var slow []net.Conn
	for range 60 {
		c, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
		if err != nil {
			continue
		}
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
		slow = append(slow, c)
	}
	for _, c := range slow { // each was refused at once or is cut off
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := bufio.NewReader(c).ReadByte(); err != nil {
			if n, ok := err.(net.Error); ok && n.Timeout() {
				t.Fatal("a slow hand is still held after half a minute")
			}
		}
	}
	d.guest()
}

// The session ends by the monotonic clock, which cannot be set.
func TestTheSessionEndsByTheMonotonicClock(t *testing.T) {
	d := openSession(t, func(o *Opts) { o.Until = 10 * time.Minute })
	d.guest()
	d.lock(func() { d.now = 10*time.Minute - time.Second })
	time.Sleep(500 * time.Millisecond)
	select {
	case why := <-d.done:
		t.Fatalf("a second early: %s", why)
	default:
	}
	d.lock(func() { d.now = 10 * time.Minute })
	select {
	case why := <-d.done:
		if why != "expired" {
			t.Errorf("it ended: %s", why)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it did not end")
	}
}
