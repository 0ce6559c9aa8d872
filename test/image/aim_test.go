package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kerb/test/broker"
)

// codePattern is a login code on the screen of the device.
var codePattern = regexp.MustCompile(`AIMING: code (\d{3}) (\d{3})`)

// code is the last login code on the console; "" before one.
func (m *machine) code() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.lines) - 1; i >= 0; i-- {
		if c := codePattern.FindStringSubmatch(m.lines[i]); c != nil {
			return c[1] + c[2]
		}
	}
	return ""
}

// aimSite is a site as a newcomer writes it: the line is a guess.
func aimSite(port int, trust string) string {
	head, _, _ := strings.Cut(site(port, trust), "[[camera.zone]]")
	return head + "detector = \"motion\"\n[[camera.line]]\nid = \"first\"\nfrom = [0.02, 0.97]\nto = [0.3, 0.97]\nclasses = [\"person\"]\n"
}

// A new card with a policy, site.toml and an empty aim.toml, a telephone outside the
// machine, and a broker.
func TestANewCardIsAimedFromATelephone(t *testing.T) {
	imageDir(t)
	b := broker.New(t)
	files, trust := everyMinuteOf(t, "standard")
	files["site.toml"], files["aim.toml"] = aimSite(b.Port, trust), ""
	files["system.toml"] = fmt.Sprintf("[time]\nservers = [%q]\n", timeServer(t))
	m := newMachine(t, files)
	m.forward = freePort(t)
	m.start()
	step := func(what string) {
		t.Logf("%6.1f s after the power: %s", time.Since(m.begun).Seconds(), what)
	}
	m.until("the code", patience, func() bool { return m.code() != "" })
	step("the code is on the screen")
	m.aimByTelephone()
	step("the telephone is done")
	m.until("the end of the session", patience, func() bool { return m.said("AIMING: site.toml has the new lines") })
	if !m.said("AIMING: the session is over: ended") {
		t.Errorf("the session did not end on the page:\n%s", m.console())
	}
	over := time.Now()
	m.until("a window of the new line", patience, func() bool { return len(b.MessagesOn("/count/whole-street", over)) > 0 })
	step("the first window: " + string(b.MessagesOn("/count/whole-street", over)[0].Body))
	counted := func() (bodies []string) {
		for _, w := range b.MessagesOn("/count/whole-street", over) {
			if bytes.Contains(w.Body, []byte(`"counts":[`)) {
				bodies = append(bodies, string(w.Body))
			}
		}
		return bodies
	}
	m.until("a window with counts", patience, func() bool { return len(counted()) > 0 })
	step("the first window with counts: " + counted()[0])
	m.until("all events", patience, func() bool { return len(aimActs(t, b)) >= 5 })
	if acts := strings.Join(aimActs(t, b), " "); acts != "start entered changed accepted end" {
		t.Errorf("the broker was told: %s", acts)
	}
	m.cut()
	if text := m.file("kerb/site.toml"); !bytes.Contains(text, []byte(`id = "whole-street"`)) || bytes.Contains(text, []byte(`"first"`)) || !bytes.Contains(text, []byte("scene:busy")) {
		t.Errorf("site.toml on the card:\n%s", text)
	}
	if text := m.file("kerb/site.toml.old"); string(text) != files["site.toml"] {
		t.Errorf("site.toml.old on the card:\n%s", text)
	}
	if text := m.file("kerb/report.txt"); !bytes.Contains(text, []byte("the session is over: ended")) || bytes.Contains(text, []byte("code")) {
		t.Errorf("report.txt on the card:\n%s", text)
	}
	m.file("kerb/aim-done.toml")
	m.threeShortStarts(b)
}

// aimByTelephone runs the telephone of test/aim, which has a module of its own.
func (m *machine) aimByTelephone() {
	m.t.Helper()
	c := exec.Command("go", "test", "-count=1", "-v", "-timeout", "60m", "-run", "TestAPhoneAimsAtADevice", ".")
	c.Dir = filepath.Join("..", "aim")
	c.Env = append(os.Environ(), fmt.Sprintf("KERB_AIM_PAGE=http://127.0.0.1:%d/", m.forward), "KERB_AIM_CODE="+m.code())
	out, err := c.CombinedOutput()
	m.t.Logf("the telephone:\n%s", out)
	if err != nil || bytes.Contains(out, []byte("SKIP")) {
		m.t.Fatalf("the telephone: %v; the console:\n%s", err, m.console())
	}
}

// threeShortStarts cuts the power twice soon after it came. The third start opens a
// session, and none of the three opens that of the card again.
func (m *machine) threeShortStarts(b *broker.Broker) {
	m.t.Helper()
	for n := 1; n <= 3; n++ {
		m.start()
		m.until("a short start", patience, func() bool { return m.said(fmt.Sprintf("start %d of 3 short ones", n)) })
		if n < 3 {
			m.cut()
		}
	}
	m.until("a session", patience, func() bool { return m.code() != "" })
	if !m.said("AIMING: asked for by power") || m.said("asked for by card") {
		m.t.Errorf("another reason than the starts:\n%s", m.console())
	}
	began := m.begun
	m.until("the broker is told", patience, func() bool {
		return slices.ContainsFunc(b.MessagesOn("/event", began), func(e broker.Message) bool { return bytes.Contains(e.Body, []byte(`"by":"power"`)) })
	})
	m.t.Logf("%6.1f s after the third power: a session by three short starts", time.Since(m.begun).Seconds())
	m.cut()
}

// aimActs are the acts of aiming that the broker was told of, by their numbers: what was
// stored for a while comes late.
func aimActs(t *testing.T, b *broker.Broker) (acts []string) {
	t.Helper()
	byNumber := map[int]string{}
	for _, m := range b.MessagesOn("/event", time.Time{}) {
		var e struct {
			N    int
			Kind string
			Data struct{ Act string }
		}
		if err := json.Unmarshal(m.Body, &e); err != nil {
			t.Fatalf("%s: %v", m.Body, err)
		}
		if e.Kind == "aim" {
			byNumber[e.N] = e.Data.Act
		}
	}
	for _, n := range slices.Sorted(maps.Keys(byNumber)) {
		acts = append(acts, byNumber[n])
	}
	return acts
}

// freePort is a TCP port on loopback that no program has.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
