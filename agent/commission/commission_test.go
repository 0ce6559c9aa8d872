package commission

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"kerb/agent/aim"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/state"
	"kerb/agent/uplink"
)

func TestAPlanComesBackFromTheFileAsItWas(t *testing.T) {
	p := aim.Plan{
		Lines:   []aim.Line{{ID: "kerb", From: aim.Point{0.1, 0.2}, To: aim.Point{0.9, 0.2}, Classes: []string{"person", "bicycle"}}},
		Zones:   []aim.Zone{{ID: "stop", Polygon: []aim.Point{{0, 0}, {1, 0}, {1, 1}}, Classes: []string{"person"}}},
		Masks:   []aim.Mask{{Polygon: []aim.Point{{0, 0}, {0.5, 0}, {0.5, 0.5}}}},
		Heights: []aim.Height{{Foot: aim.Point{0.5, 0.9}, Top: aim.Point{0.5, 0.5}, Metres: 1.8}, {Foot: aim.Point{0.4, 0.4}, Top: aim.Point{0.4, 0.3}, Metres: 1.8}},
	}
	d, err := toDrawing(p)
	if err != nil {
		t.Fatal(err)
	}
	if got := toPlan(d); !reflect.DeepEqual(got, p) {
		t.Errorf("got %+v, want %+v", got, p)
	}
	p.Lines[0].Classes = nil
	p.Zones[0].Classes = []string{"dragon"}
	if _, err := toDrawing(p); err == nil || !strings.Contains(err.Error(), "kerb counts nothing") || !strings.Contains(err.Error(), "dragon") {
		t.Errorf("a line without classes and an unknown class: %v", err)
	}
}

func TestAnAcceptanceRecordIsCoarse(t *testing.T) {
	dir := t.TempDir()
	s := &Session{Config: &config.Site{Device: config.Device{State: dir}}}
	for _, hand := range []int{51, 47} { // the second takes the place of the first
		if err := s.storeAcceptance(aim.Result{Line: "kerb", Seconds: 629, Hand: hand, Error: 0.0449, Low: -0.128, High: 0.234, GEH: 1.6, Verdict: "good"}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, state.AcceptanceFile))
	if err != nil {
		t.Fatal(err)
	}
	var all []uplink.Acceptance
	if err := json.Unmarshal(b, &all); err != nil || len(all) != 1 {
		t.Fatalf("%s: %v", b, err)
	}
	all[0].Day = ""
	if want := (uplink.Acceptance{Stream: "kerb", Minutes: 10, Passages: 40, Error: 0.04, Low: -0.13, High: 0.23, GEH: 2, Verdict: "good"}); all[0] != want {
		t.Errorf("got %+v, want %+v", all[0], want)
	}
}

func TestJoinedListenersAcceptFromEachAddress(t *testing.T) {
	var all []net.Listener
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	j := joinListeners(all)
	for _, l := range all {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		got, err := j.Accept()
		if err != nil || got.LocalAddr().String() != l.Addr().String() {
			t.Fatalf("%v, %v", got, err)
		}
		got.Close()
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if c, err := j.Accept(); err == nil {
		t.Errorf("%v came after Close", c.RemoteAddr())
	}
	for _, l := range all {
		if _, err := l.Accept(); err == nil {
			t.Errorf("%s is still open", l.Addr())
		}
	}
}

// The page gets what a mistake is about, so that it can say it in its own words and mend it.
func TestAMistakeNamesItsRuleItsClassAndItsStreams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.toml")
	text := `[device]
name = "pi"
site = "s"
tenant = "t"
[broker]
url = "mqtt://127.0.0.1:1"
[[camera]]
name = "north"
source = "scene:calm"
[[camera.zone]]
id = "a"
polygon = [[0, 0], [1, 0], [1, 1]]
classes = ["person"]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	standard, err := policy.Load("../../configs/policy-standard.toml")
	if err != nil {
		t.Fatal(err)
	}
	e := &siteEditor{path: path, policy: standard}
	square := []aim.Point{{0, 0}, {1, 0}, {1, 1}}
	zone := func(id string, classes ...string) aim.Zone {
		return aim.Zone{ID: id, Polygon: square, Classes: classes}
	}
	for what, c := range map[string]struct {
		zones []aim.Zone
		want  aim.Complaint
	}{
		"three places": {[]aim.Zone{zone("a", "person"), zone("b", "person", "vehicle"), zone("c", "person")}, aim.Complaint{Rule: "clear.overlap", Class: "person", Streams: []string{"a", "b", "c"}, Limit: 2}},
		"a class":      {[]aim.Zone{zone("a", "car")}, aim.Complaint{Rule: "count.classes", Streams: []string{"a"}}},
		"a name":       {[]aim.Zone{zone("a", "person"), zone("a", "person")}, aim.Complaint{Key: "zone[1].id"}},
		"nothing":      {[]aim.Zone{zone("a", "person"), zone("b")}, aim.Complaint{Key: "zone[1].classes"}},
	} {
		got := e.checkPlan(aim.Plan{Zones: c.zones})
		if len(got) != 1 || got[0].Want == "" {
			t.Errorf("%s: %+v", what, got)
			continue
		}
		got[0].Want, got[0].Hint = "", ""
		if !reflect.DeepEqual(got[0], c.want) {
			t.Errorf("%s: got %+v, want %+v", what, got[0], c.want)
		}
	}
	if got := e.checkPlan(aim.Plan{Zones: []aim.Zone{zone("a", "person"), zone("b", "person")}}); got != nil {
		t.Errorf("two places: %+v", got)
	}
}

// The passphrase is shown where the code is shown, and nowhere where there is no access point.
func TestTheWiFiOfASessionStandsBesideTheCode(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tell := func(wifi WiFi, asJSON bool) string {
		var b strings.Builder
		(&Session{Out: &b, JSON: asJSON, WiFi: wifi, Listeners: []net.Listener{l}}).printCode("123456", "1a2b3c4d")
		return b.String()
	}
	wifi := WiFi{SSID: "pole", Passphrase: "abcdefgh2345", QRText: "WIFI:T:WPA;S:pole;P:abcdefgh2345;;"}
	if text := tell(wifi, false); !strings.HasPrefix(text, "wifi  pole\nword  abcdefgh2345 ") || !strings.Contains(text, "code  123 456 ") {
		t.Errorf("told as text:\n%s", text)
	}
	if text := tell(wifi, true); !strings.Contains(text, `"passphrase":"abcdefgh2345"`) || !strings.Contains(text, `"ssid":"pole"`) {
		t.Errorf("told as JSON: %s", text)
	}
	if text := tell(WiFi{}, false); strings.Contains(text, "wifi") || strings.Contains(text, "word") {
		t.Errorf("without an access point:\n%s", text)
	}
}
