package aim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"kerb/agent/aim/record"
	"kerb/counting"
)

// testSession is a session that records the calls of its Opts.
type testSession struct {
	*Server
	t    *testing.T
	url  string
	done chan string

	mu    sync.Mutex
	now   time.Duration
	code  string
	notes []string
	kept  []Result
	saved []Plan
}

func openSession(t *testing.T, change func(*Opts)) *testSession {
	t.Helper()
	d := &testSession{t: t, done: make(chan string, 1)}
	o := Opts{
		Device: "pi-0a1b", Camera: "north", Classes: []string{"person", "vehicle"}, Sketches: true,
		Plan: Plan{Lines: []Line{{ID: "kerb", From: Point{0, 0.5}, To: Point{1, 0.5}, Classes: []string{"person", "vehicle"}}}},
		Now:  d.clock, Until: time.Hour, Latest: time.Hour, Kinds: []string{"line", "zone"}, Overlap: 2,
		LogExtension: func(_ string, until time.Duration) {
			d.lock(func() { d.notes = append(d.notes, "extended "+until.String()) })
		},
		AnnounceCode: func(code, _ string) { d.lock(func() { d.code = code }) },
		LogAction:    func(_, what string) { d.lock(func() { d.notes = append(d.notes, what) }) },
		CheckPlan:    func(Plan) []Complaint { return nil },
		SavePlan:     func(p Plan) error { d.lock(func() { d.saved = append(d.saved, p) }); return nil },
		UndoPlan:     func() (Plan, error) { return Plan{}, nil },
		StoreResult:  func(r Result) error { d.lock(func() { d.kept = append(d.kept, r) }); return nil },
	}
	if change != nil {
		change(&o)
	}
	d.Server = New(o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.url = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		why, err := d.Serve(ctx, l)
		if err != nil {
			why = err.Error()
		}
		d.done <- why
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return d
}

func (d *testSession) lock(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
}

func (d *testSession) clock() (now time.Duration) {
	d.lock(func() { now = d.now })
	return now
}

func (d *testSession) hasNoted() (n string) {
	d.lock(func() { n = strings.Join(d.notes, " ") })
	return n
}

// browser is one viewer.
type browser struct {
	t     *testing.T
	c     *http.Client
	url   string
	token string
}

func (d *testSession) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	d.t.Cleanup(tr.CloseIdleConnections)
	return &browser{t: d.t, c: &http.Client{Jar: jar, Transport: tr}, url: d.url}
}

// enterCode types a code and returns the answer.
func (b *browser) enterCode(code string) (int, string) {
	b.t.Helper()
	r, err := b.c.PostForm(b.url+"/enter", url.Values{"code": {code}})
	if err != nil {
		b.t.Fatal(err)
	}
	body := readAll(b.t, r)
	if _, rest, ok := strings.Cut(body, `data-token="`); ok {
		b.token, _, _ = strings.Cut(rest, `"`)
	}
	return r.StatusCode, body
}

func (d *testSession) guest() *browser {
	d.t.Helper()
	b := d.browser()
	var code string
	d.lock(func() { code = d.code })
	if status, body := b.enterCode(code); status != http.StatusOK || b.token == "" {
		d.t.Fatalf("not let in: %d\n%s", status, body)
	}
	return b
}

func readAll(t *testing.T, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (b *browser) get(path string) (int, string) {
	b.t.Helper()
	r, err := b.c.Get(b.url + path)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.StatusCode, readAll(b.t, r)
}

func (b *browser) post(path string, body any, headers ...string) (int, string) {
	b.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, b.url+path, bytes.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Kerb-Token", b.token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a, err := b.c.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return a.StatusCode, readAll(b.t, a)
}

// report returns a sketch whose grey levels depend on n, different from all
// others.
func report(n int) *record.Report {
	r := &record.Report{Watching: true, Pictures: uint64(n)}
	s := &r.Sketch
	s.Width, s.Height, s.Block, s.Cell = 128, 72, 2, 1
	for i := range s.BlockColumns() * s.BlockRows() {
		s.Blocks[i] = 1 + uint8((i+n)%counting.SketchGreys)
	}
	for i := range n % 40 {
		s.Cells[i*s.CellColumns()+n%s.CellColumns()] = counting.CellClass
	}
	return r
}

// waitFor waits until holds returns true, at most 30 s.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 30 s: " + what)
		}
	}
}

// readFrames reads a stream picture by picture and refuses any byte between
// them.
func readFrames(r io.Reader, each func(jpeg []byte) bool) error {
	buf := make([]byte, 0, 1<<20)
	chunk := make([]byte, 4096)
	for {
		n, err := r.Read(chunk)
		buf = append(buf, chunk[:n]...)
		for {
			size := pictureLength(buf)
			if size == 0 {
				break
			}
			head := bytes.Index(buf, []byte("\r\n\r\n")) + 4
			if want := fmt.Sprintf("\r\n--MJPEGBOUNDARY\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: 0.000000\r\n\r\n", size-head); string(buf[:head]) != want {
				return fmt.Errorf("between two pictures: %q", buf[:head])
			}
			if !each(bytes.Clone(buf[head:size])) {
				return nil
			}
			buf = buf[:copy(buf, buf[size:])]
		}
		if err != nil {
			return err
		}
	}
}
