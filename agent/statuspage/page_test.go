package statuspage

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/agent/publisher"
	"kerb/agent/status"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/configs"
	"kerb/counting"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// deviceOpts returns a page over a real spool: 8 lines, three days under the standard
// policy, with a gap of an hour and a half; and a status with a lost camera.
func deviceOpts(t testing.TB) Opts {
	t.Helper()
	text, err := configs.ReadPolicy("standard")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("policy.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(filepath.Join(t.TempDir(), "spool.db"), store.KeepFor(p.Retention()), store.WallClock(func() time.Time { return now }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Append(clearThreeDays(t, p)); err != nil {
		t.Fatal(err)
	}
	s := &status.Status{
		Schema: status.Schema, At: now, Running: true,
		Problems: []status.Problem{{Part: "camera north", What: "LOST 4 min: camera refuses the user or the password", Do: "correct user and password_file of the camera in site.toml, then restart kerb"}},
		Device: status.Device{
			Name: "pole-7", Site: "high-street", Tenant: "camden", Version: "1", Up: 11520, Lamp: &status.Lamp{Code: "fault", Fixed: true},
			Cameras: []status.Camera{{Name: "north", State: status.Lost}, {Name: "south", State: status.Counting, Rate: 10, Detector: "neural", LookRate: 10, View: "well"}},
			Policy:  &status.Policy{Title: "Standard <1>", Version: 3}, Clock: &status.Clock{Synced: true, Source: "ntp"}, Disk: &status.Disk{Free: 1 << 33},
		},
		Uplink: status.Uplink{
			Broker: &status.Broker{URL: "mqtts://broker:8883", Connected: true, Proven: true, Since: now.Add(-time.Hour)},
			Spool:  publisher.PackSpool(db),
		},
	}
	return Opts{
		Status:  func(context.Context) (*status.Status, error) { return s, nil },
		History: func(context.Context) (*status.History, error) { return publisher.ReadHistory(db, p, now) },
		Windows: func(_ context.Context, f func(status.Window) error) error {
			return db.EachWindow(func(i store.Item) error { return f(publisher.PackWindow(uplink.Address{}, i)) })
		},
		Now: func() time.Time { return now },
	}
}

// clearThreeDays returns the windows of 71 hours of 8 lines.
func clearThreeDays(t testing.TB, p *policy.Policy) (all []policy.Release) {
	t.Helper()
	for start := now.Add(-71 * time.Hour); start.Before(now); start = start.Add(p.Window()) {
		for s := range 8 {
			w := counting.Tally{Stream: fmt.Sprintf("line-%d", s), Kind: counting.LineStream, Start: start, End: start.Add(p.Window()), Mono: 100*time.Hour - now.Sub(start), Observed: p.Window()}
			for c := counting.Person; c <= counting.Vehicle; c++ {
				w.Counted[c] = true
				hour := (start.Hour() + 24 - 5) % 24
				w.Crossings[c] = [counting.Directions]uint32{uint32(hour * (24 - hour) * (s + 1) / 16), uint32(hour * (24 - hour) / (8 * (1 + int(c))))}
			}
			if ago := now.Sub(start); ago > 20*time.Hour && ago <= 20*time.Hour+90*time.Minute {
				w.Quality, w.Reason, w.Observed = counting.Gap, counting.ReasonCameraLost, 0
			}
			r, err := p.Clear(w)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
	}
	return all
}

func get(t *testing.T, o Opts, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	New(o).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

// Three days of eight lines are one page of at most 300 kB, which needs nothing but its
// style sheet: no script, nothing of another host, nothing inline.
func TestThreeDaysOfEightLinesAreOneSmallPage(t *testing.T) {
	o := deviceOpts(t)
	w := get(t, o, "/?lang=en")
	text := w.Body.String()
	if w.Code != http.StatusOK || len(text) > 300_000 {
		t.Fatalf("%d, %d bytes", w.Code, len(text))
	}
	t.Logf("%d bytes", len(text))
	if path := os.Getenv("KERB_PAGE"); path != "" { // to look at it
		style, _ := files.ReadFile("page/style.css")
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.WriteFile(filepath.Join(filepath.Dir(path), "style.css"), style, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		`class="verdict bad"`, "LOST 4 min: camera refuses", "→ correct user and password_file", "10.0 pictures/s, neural, 10 looks/s, view well",
		"delivery proven", "believed: ntp", "Standard &lt;1&gt;", `<tr class="now"><th scope="row">five flashes a second`, "line-7", "a→b", "One step is 15 min.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not told: %s", want)
		}
	}
	for _, bad := range []string{"<script", "style=", "<img", "src=", "onclick", "http-equiv"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !regexp.MustCompile(`^(style\.css|history\.csv|\?lang=[a-z]{2}|#g[0-7])$`).MatchString(m[1]) {
			t.Errorf("the page leads to %s", m[1])
		}
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'self';") || strings.Contains(csp, "script") || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", w.Header())
	}
	if n := strings.Count(text, "<svg viewBox=\"-60"); n != 24 {
		t.Errorf("%d plots, want one for each line and class", n)
	}
	// The gap is six slots of two units, and drawn for each stream once.
	if n := len(regexp.MustCompile(`<path id="g\d" d="M\d+ 0h12v120h-12z"`).FindAllString(text, -1)); n != 8 {
		t.Errorf("%d gaps", n)
	}
}

// The table holds the released numbers of the windows, and is readable by a parser.
func TestTheCSVHoldsTheReleasedWindows(t *testing.T) {
	o := deviceOpts(t)
	w := get(t, o, "/history.csv")
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil || len(rows) != 1+8*(278*6+6) || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	later := o
	later.Now = func() time.Time { return now.Add(70 * time.Hour) }
	if rows, err := csv.NewReader(get(t, later, "/history.csv").Body).ReadAll(); err != nil || len(rows) != 1+8*(8*6) {
		t.Errorf("70 hours later: %d rows, %v", len(rows), err)
	}
	o.Windows = func(context.Context, func(status.Window) error) error { return io.ErrUnexpectedEOF }
	defer func() {
		if recover() == nil {
			t.Error("half a table was taken for the whole")
		}
	}()
	get(t, o, "/history.csv")
}

// A device without history, and one whose agent does not answer.
func TestAPageWithoutHistorySaysSo(t *testing.T) {
	o := deviceOpts(t)
	o.History = func(context.Context) (*status.History, error) { return new(status.History), nil }
	if text := get(t, o, "/").Body.String(); !strings.Contains(text, "No window is stored yet.") {
		t.Error("nothing is told")
	}
	o.History = func(context.Context) (*status.History, error) { return nil, errors.New("a <spool> is damaged") }
	if text := get(t, o, "/").Body.String(); !strings.Contains(text, "a &lt;spool&gt; is damaged") {
		t.Error("the error is not told")
	}
	o.Status = func(context.Context) (*status.Status, error) { return nil, status.ErrBusy }
	if w := get(t, o, "/"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
	for _, path := range []string{"/acceptance.html", "/../", "/words.json", "/page/status.html"} {
		if w := get(t, o, path); w.Code != http.StatusNotFound && w.Code != http.StatusMovedPermanently && w.Code != http.StatusTemporaryRedirect {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader("x"))
	w := httptest.NewRecorder()
	New(o).ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// A policy that forbids the page refuses each of its paths, in each language, without a
// number, and the refusal is logged; only the style of the refusal is served.
func TestAPolicyThatForbidsThePageRefusesAllOfIt(t *testing.T) {
	o := deviceOpts(t)
	logged := 0
	o.LogRefusal = func(context.Context, *status.Status) { logged++ }
	o.Sheet = func(w io.Writer, _ string) error { _, err := io.WriteString(w, "line-1"); return err }
	s, _ := o.Status(t.Context())
	if get(t, o, "/").Code != http.StatusOK || logged != 0 {
		t.Error("refused without a word of the policy")
	}
	s.Policy.NoPage = true
	paths := []string{"/", "/history.csv", "/acceptance.html"}
	for lang := range loadBook() {
		paths = append(paths, "/?lang="+lang)
	}
	told := map[string]bool{}
	for _, path := range paths {
		w := get(t, o, path)
		if text := w.Body.String(); w.Code != http.StatusForbidden || strings.Contains(text, "line-1") || strings.Contains(text, "LOST") || !strings.Contains(text, "status.page = false") {
			t.Errorf("%s: %d %s", path, w.Code, text)
		} else if strings.Contains(path, "lang") {
			told[regexp.MustCompile(`verdict bad">([^<]*)`).FindStringSubmatch(text)[1]] = true
		}
	}
	if logged != len(paths) || len(told) != len(loadBook()) || told["The policy of this device forbids the status page."] {
		t.Errorf("%d logged of %d, told %v", logged, len(paths), told)
	}
	if w := get(t, o, "/style.css"); w.Code != http.StatusOK {
		t.Errorf("style: %d", w.Code)
	}
}

// A bad history, as of another version, is no panic.
func TestAHistoryThatDoesNotFitIsNoPanic(t *testing.T) {
	for _, text := range []string{
		`{}`, `{"step_s": -1}`, `{"step_s": 86400, "streams": [{"stream": "a", "slots": "ogg", "series": [{"class": "person", "n": [1]}]}]}`,
		`{"step_s": 1, "zone": "../x", "streams": [{"stream": "<b>", "kind": "line", "slots": "g"}]}`,
		`{"step_s": 86400, "streams": [{"stream": "a", "slots": "o", "series": [{"class": "<i>", "n": [-2147483648,2147483647,0], "least": [0,0,0], "most": [-2147483648,2147483647,0]}]}]}`,
	} {
		var h status.History
		if err := json.Unmarshal([]byte(text), &h); err != nil {
			t.Fatal(err)
		}
		o := deviceOpts(t)
		o.History = func(context.Context) (*status.History, error) { return &h, nil }
		if out := get(t, o, "/").Body.String(); strings.Contains(out, "<b>") && strings.Contains(out, "h3><b>") || strings.Contains(out, "<i>") {
			t.Errorf("%s: not escaped", text)
		}
	}
}

func BenchmarkPage(b *testing.B) {
	o := deviceOpts(b)
	page := New(o)
	for b.Loop() {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest("GET", "/?lang=fi", nil))
		if w.Body.Len() < 10_000 {
			b.Fatal(w.Body.Len())
		}
	}
}
