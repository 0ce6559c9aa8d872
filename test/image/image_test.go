package image

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"

	"kerb/agent/policy"
	"kerb/configs"
	"kerb/test/broker"
)

const patience = 10 * time.Minute // on a machine with other things to do

// site is a street whose zones are told every minute. trust is a table.
func site(port int, trust string) string {
	var text strings.Builder
	for n, z := range zones() {
		left := 0.1 + 0.25*float64(n)
		fmt.Fprintf(&text, "[[camera.zone]]\nid = %q\npolygon = [[%.2f, 0.3], [%.2f, 0.3], [%.2f, 0.9], [%.2f, 0.9]]\nclasses = [%q]\n",
			z.id, left, left+0.25, left+0.25, left, z.class)
	}
	return fmt.Sprintf(`[device]
bench = true
name = "pole"
site = "bench"
tenant = "kerb"
[broker]
url = "mqtt://10.0.2.2:%d"
spread = "0s"
retry_min = "0s"
%s
[[camera]]
name = "street"
source = "scene:busy?seed=7"
fps = 5
%s`, port, trust, text.String())
}

// zones are the parts of the street that are told, each another class, as the
// policy wants it. Each ends a window every minute, so that a power cut has more
// than one to fall upon.
func zones() [3]zone {
	return [3]zone{{"square", "person"}, {"road", "vehicle"}, {"path", "bicycle"}}
}

type zone struct{ id, class string }

// everyMinute is the shipped policy with the shortest window, and its two
// signatures by keys that a device is told to trust.
func everyMinute(t *testing.T) (files map[string]string, trust string) {
	t.Helper()
	return everyMinuteOf(t, "busyness")
}

// everyMinuteOf is a shipped policy with windows of a minute, signed likewise.
func everyMinuteOf(t *testing.T, name string) (files map[string]string, trust string) {
	t.Helper()
	text, err := configs.ReadPolicy(name)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`window = "15m"`), []byte(`window = "1m"`), 1)
	p, err := policy.Parse("policy.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{"policy.toml": string(text)}
	var keys []string
	for _, end := range []string{".minisig", ".2.minisig"} {
		public, private, err := minisign.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		files["policy.toml"+end] = string(minisign.Sign(private, p.Canonical()))
		keys = append(keys, strconv.Quote(public.String()))
	}
	return files, fmt.Sprintf("[trust]\nmode = \"signed\"\nkeys = [%s]", strings.Join(keys, ", "))
}

// timeServer answers on loopback as SNTP does (RFC 4330), so that the image's
// clock is set by the network as on a pole.
func timeServer(t *testing.T) string {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		for b := make([]byte, 512); ; {
			n, from, err := c.ReadFromUDP(b)
			if err != nil {
				return
			}
			if n < 48 {
				continue
			}
			a := make([]byte, 48)
			a[0], a[1], a[2], a[3] = 4<<3|4, 1, 0, 0xec // version 4, server, stratum 1
			copy(a[12:], "LOCL")
			now := stamp(time.Now())
			copy(a[16:], now)
			copy(a[24:], b[40:48])
			copy(a[32:], now)
			copy(a[40:], stamp(time.Now()))
			_, _ = c.WriteToUDP(a, from)
		}
	}()
	return fmt.Sprintf("10.0.2.2:%d", c.LocalAddr().(*net.UDPAddr).Port)
}

func stamp(t time.Time) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(t.Unix()+2208988800))
	return binary.BigEndian.AppendUint32(b, uint32(uint64(t.Nanosecond())<<32/1e9))
}

func TestFromPowerToTheFirstMessage(t *testing.T) {
	imageDir(t)
	b := broker.New(t)
	files, trust := everyMinute(t)
	files["site.toml"] = site(b.Port, trust)
	files["system.toml"] = fmt.Sprintf("[time]\nservers = [%q]\n", timeServer(t))
	m := newMachine(t, files)
	m.start()
	m.until("the first message", patience, func() bool { return len(b.MessagesOn("/state", m.begun)) > 0 })
	t.Logf("first message %.1f s after the power", b.MessagesOn("", m.begun)[0].At.Sub(m.begun).Seconds())
	m.until("the first window", patience, func() bool { return len(b.MessagesOn("/count/square", m.begun)) > 0 })
	w := b.MessagesOn("/count/square", m.begun)[0]
	t.Logf("first window %.1f s after the power: %s", w.At.Sub(m.begun).Seconds(), w.Body)
	if !bytes.Contains(w.Body, []byte(`"synced":true`)) {
		t.Errorf("the clock of the window is not believed: %s", w.Body)
	}
	seen := func() int {
		return slices.IndexFunc(b.MessagesOn("/count/square", m.begun), func(w broker.Message) bool { return bytes.Contains(w.Body, []byte(`"quality":"ok"`)) })
	}
	m.until("a window that was seen whole", patience, func() bool { return seen() >= 0 })
	w = b.MessagesOn("/count/square", m.begun)[seen()]
	t.Logf("first whole window %.1f s after the power: %s", w.At.Sub(m.begun).Seconds(), w.Body)
	m.until("root is read-only", time.Minute, func() bool { return m.said("root is read-only") })
	var walls map[string]wall
	m.until("the walls of what sees", patience, func() bool {
		states := b.MessagesOn("/state", m.begun)
		walls = wallsIn(t, states[len(states)-1].Body)
		_, ok := walls["sense street"]
		return ok
	})
	for process, w := range walls {
		t.Logf("walls of %s: Landlock %d, open %v", process, w.Landlock, w.Open)
		if w.Landlock == 0 || len(w.Open) > 0 {
			t.Errorf("%s: Landlock %d, open %v", process, w.Landlock, w.Open)
		}
	}
}

// A wall is what a process says of what holds it.
type wall struct {
	Open     []string
	Landlock int
}

func wallsIn(t *testing.T, state []byte) map[string]wall {
	t.Helper()
	var s struct {
		Agent struct{ Walls map[string]wall }
	}
	if err := json.Unmarshal(state, &s); err != nil {
		t.Fatal(err)
	}
	return s.Agent.Walls
}

func TestWrongFilesAreToldAndNothingStarts(t *testing.T) {
	imageDir(t)
	b := broker.New(t)
	files, trust := everyMinute(t)
	files["site.toml"] = site(b.Port, trust) + "nonsense = true\n"
	m := newMachine(t, files)
	m.start()
	m.until("the event", patience, func() bool { return len(b.MessagesOn("/event", m.begun)) > 0 })
	e := b.MessagesOn("/event", m.begun)[0]
	t.Logf("told %.1f s after the power: %s", e.At.Sub(m.begun).Seconds(), e.Body)
	if !bytes.Contains(e.Body, []byte(`"config_refused"`)) || !bytes.Contains(e.Body, []byte(`["site.toml:`)) || !bytes.Contains(e.Body, []byte("nonsense")) {
		t.Errorf("the event does not say what is wrong: %s", e.Body)
	}
	for _, line := range []string{"CARD REFUSED: kerb: site.toml:", "NOTHING IS COUNTED"} {
		m.until(line, time.Minute, func() bool { return m.said(line) })
	}
	if n := len(b.MessagesOn("/count/", time.Time{})) + len(b.MessagesOn("/meta", time.Time{})); n > 0 || m.said("kerb is ready") {
		t.Errorf("it started half-configured: %d messages", n)
	}
}

// server offers systems for update, signed.
type server struct {
	url     string
	private minisign.PrivateKey
	key     string
	dir     string
}

func newServer(t *testing.T) *server {
	t.Helper()
	public, private, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{private: private, key: public.String(), dir: t.TempDir()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Server{Handler: http.FileServer(http.Dir(s.dir))}
	go h.Serve(l)
	t.Cleanup(func() { h.Close() })
	s.url = fmt.Sprintf("http://10.0.2.2:%d", l.Addr().(*net.TCPAddr).Port)
	return s
}

// offer puts a system up; tampered: after it was signed.
func (s *server) offer(t *testing.T, file string, version int, tampered bool) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(imageDir(t), file))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Appendf(nil, `{"version":%d,"file":%q,"size":%d,"sha256":"%x"}`, version, file, len(content), sha256.Sum256(content))
	signature := minisign.Sign(s.private, text)
	if tampered {
		text = bytes.Replace(text, []byte(`"version":`), []byte(`"version":9`), 1)
	}
	for name, b := range map[string][]byte{file: content, "update.json.minisig": signature, "update.json": text} {
		if err := os.WriteFile(filepath.Join(s.dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUpdatesAreTriedKeptOrTakenBack(t *testing.T) {
	imageDir(t)
	b, s := broker.New(t), newServer(t)
	files, trust := everyMinute(t)
	files["site.toml"] = site(b.Port, trust)
	files["system.toml"] = fmt.Sprintf("[time]\nservers = [%q]\n[update]\nurl = %q\nkeys = [%q]\nevery = \"10s\"\ntrial = \"6m\"\n", timeServer(t), s.url, s.key)
	m := newMachine(t, files)
	s.offer(t, "well.squashfs", 103, true)
	m.start()
	m.until("what is not signed is not taken", patience, func() bool { return m.said("not signed by a key of this device") })
	s.offer(t, "no.squashfs", 102, false)
	m.until("no system at all is tried", patience, func() bool { return m.said("is tried now") })
	m.until("and the old one goes on", patience, func() bool { return m.said("system 100 in slot 2, trial false") })
	s.offer(t, "ends.squashfs", 101, false)
	m.until("a system that does not count is tried", patience, func() bool { return m.said("system 101 in slot 3, trial true") })
	m.until("found not well", patience, func() bool { return m.said("NOT WELL") })
	m.until("and taken back", patience, func() bool { return m.said("system 100 in slot 2, trial false") })
	s.offer(t, "well.squashfs", 103, false)
	m.until("one that is well is tried", patience, func() bool { return m.said("system 103 in slot 3, trial true") })
	m.until("and kept", patience, func() bool { return m.said("well, and kept") })
	m.cut()
	m.start()
	m.until("after a power cut too", patience, func() bool { return m.said("system 103 in slot 3, trial false") })
	since := time.Now()
	m.until("and counts", patience, func() bool { return len(b.MessagesOn("/count/square", since)) > 0 })
}
