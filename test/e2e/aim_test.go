package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// aimer is kerb aim beside a running agent, and the one who has entered.
type aimer struct {
	a     *agent
	cmd   *exec.Cmd
	lines *bufio.Scanner
	url   string
	c     *http.Client
	token string
}

type aimTold struct {
	Code  string
	URLs  []string
	Ended string
}

func (a *agent) aim(camera string) *aimer {
	a.t.Helper()
	m := &aimer{a: a}
	m.cmd = exec.Command(a.bin, "aim", camera, "-json", "-listen", "127.0.0.1:0", "-site", filepath.Join(a.dir, "site.toml"), "-policy", filepath.Join(a.dir, "policy.toml"))
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	var words bytes.Buffer
	m.cmd.Stderr = &words
	if err := m.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
		if a.t.Failed() {
			a.t.Logf("kerb aim said:\n%s", words.String())
		}
	})
	m.lines = bufio.NewScanner(out)
	first := m.next()
	m.url = first.URLs[0]
	jar, err := cookiejar.New(nil)
	if err != nil {
		a.t.Fatal(err)
	}
	m.c = &http.Client{Jar: jar}
	r, err := m.c.PostForm(m.url+"enter", url.Values{"code": {first.Code}})
	if err != nil {
		a.t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	r.Body.Close()
	_, rest, _ := strings.Cut(string(body), `data-token="`)
	if m.token, _, _ = strings.Cut(rest, `"`); m.token == "" {
		a.t.Fatalf("not let in: %s\n%s", r.Status, body)
	}
	m.next()
	return m
}

func (m *aimer) next() (l aimTold) {
	m.a.t.Helper()
	if !m.lines.Scan() {
		m.a.t.Fatalf("kerb aim says nothing more\n%s", m.a.log.String())
	}
	if err := json.Unmarshal(m.lines.Bytes(), &l); err != nil {
		m.a.t.Fatal(err)
	}
	return l
}

func (m *aimer) post(path, body string) string {
	m.a.t.Helper()
	r, err := http.NewRequest(http.MethodPost, m.url+path, strings.NewReader(body))
	if err != nil {
		m.a.t.Fatal(err)
	}
	r.Header.Set("X-Kerb-Token", m.token)
	got, err := m.c.Do(r)
	if err != nil {
		m.a.t.Fatal(err)
	}
	defer got.Body.Close()
	b, _ := io.ReadAll(got.Body)
	if got.StatusCode != http.StatusOK {
		m.a.t.Fatalf("%s: %s %s", path, got.Status, b)
	}
	return string(b)
}

const anotherCamera = `
[[camera]]
name = "south"
source = "scene:calm?seed=3"
[[camera.line]]
id = "other"
from = [0.0, 0.5]
to = [1.0, 0.5]
classes = ["person", "vehicle"]
`

// While one camera is aimed the agent lets go of it, goes on with the other one
// whatever happens at the page, and takes it back; the account has it all.
func TestARunningAgentLetsGoOfACameraAndTakesItBack(t *testing.T) {
	if testing.Short() {
		t.Skip("short: its windows last a minute")
	}
	t.Parallel()
	m := startMosquitto(t)
	platform := newSink(t, m.url())
	a := newAgent(t, m.url(), "scene:calm")
	path := filepath.Join(a.dir, "site.toml")
	appendTo(t, path, anotherCamera)
	policy := filepath.Join(a.dir, "policy.toml")
	appendTo(t, policy, "aim.show = \"silhouettes\"\naim.session = \"20m\"\n")
	a.start()
	await(t, "both cameras", func() bool {
		p := a.processes()
		return p["sense north"] > 0 && p["sense south"] > 0 && p["uplink"] > 0
	})
	time.Sleep(3 * time.Second)
	before := a.processes()

	page := a.aim("north")
	// The bystander: connections that say nothing, and the other camera.
	for range 30 {
		c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(page.url, "http://"), "/"))
		if err == nil {
			defer c.Close()
			fmt.Fprint(c, "GET / HTTP/1.1\r\nX-Slow: ")
		}
	}
	time.Sleep(5 * time.Second)
	if now := a.processes(); now["sense south"] != before["sense south"] || now["sense north"] != before["sense north"] {
		t.Errorf("a sensing process was started anew: %v, then %v", before, now)
	}
	if out, err := exec.Command(a.bin, "aim", "south", "-listen", "127.0.0.1:0", "-site", path, "-policy", policy).CombinedOutput(); err == nil || !strings.Contains(string(out), "an aim session is open already") {
		t.Errorf("a second kerb aim: %v\n%s", err, out)
	}
	page.post("save", `{"lines":[{"id":"drawn","from":[0.1,0.4],"to":[0.9,0.4],"classes":["person"]}],"zones":[],"masks":[],"heights":[]}`)
	page.post("extend", "{}")
	page.post("end", "{}")
	if l := page.next(); l.Ended != "ended" {
		t.Errorf("it says: %+v", l)
	}
	await(t, "the agent anew, with both cameras", func() bool {
		p := a.processes()
		return p["sense north"] > 0 && p["sense south"] > 0 && p["uplink"] > 0 && p["uplink"] != before["uplink"]
	})
	if now := a.processes(); now["run"] != before["run"] {
		t.Errorf("kerb run was %d and is %d", before["run"], now["run"])
	}

	// A killed session lets go as well.
	second := a.aim("north")
	_ = second.cmd.Process.Kill()
	await(t, "the account of its end", func() bool { return strings.Contains(a.audit(), `"why":"lost"`) })
	time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute + 3*time.Second)))
	a.stop()

	account := a.audit()
	for _, want := range []string{"aim_start", `"camera":"north"`, "aim_entered", "aim_changed", `"site":"sha256:`, "aim_extended", `"for_s":1200`, "aim_end", `"why":"done"`} {
		if !strings.Contains(account, want) {
			t.Errorf("the audit log lacks %s:\n%s", want, account)
		}
	}
	// The platform hears of each act, and no more of it than the audit log says.
	events := strings.Join(platform.messages("event"), "\n")
	for _, want := range []string{`"start"`, `"entered"`, `"changed"`, `"extended"`, `"end"`, `"why":"done"`, `"why":"lost"`} {
		if !strings.Contains(events, want) {
			t.Errorf("no event says %s:\n%s", want, events)
		}
	}
	aimed, drawn := false, false
	for _, w := range a.told() {
		drawn = drawn || w.Stream == "drawn"
		aimed = aimed || (w.Stream == "across" || w.Stream == "drawn") && w.Reason == "aiming" && w.Quality != "ok"
		if w.Stream == "other" && w.Reason == "aiming" {
			t.Error("the other camera's window says aiming")
		}
	}
	if !aimed || !drawn {
		t.Errorf("a window that says aiming: %v; one of the drawn line: %v: %+v", aimed, drawn, a.told())
	}
}

func (a *agent) audit() string {
	out, err := exec.Command(a.bin, "audit", "list", "-dir", filepath.Join(a.dir, "state", "audit")).CombinedOutput()
	if err != nil {
		a.t.Errorf("kerb audit: %v\n%s", err, out)
	}
	return string(out)
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
