package transparency_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kerb/agent/transparency"
	"kerb/agent/transparency/recordtest"
)

func TestAComparisonSaysFirstWhatMayBeKnownMore(t *testing.T) {
	old := recordtest.Make(t, recordtest.Options{Answers: recordtest.Answers})
	looser := recordtest.Replace(t, recordtest.Policy, `clear.window = "15m"`, `clear.window = "5m"`)
	looser = recordtest.Replace(t, looser, `keep.retention = "72h"`, `keep.retention = "24h"`)
	looser = recordtest.Replace(t, looser, "version = 3", "version = 4")
	answers := recordtest.Replace(t, recordtest.Answers, "City of Example", "City of Others")
	site := recordtest.Replace(t, recordtest.Site, "mqtts://broker.example.org:8883", "mqtts://other.example.org:8883")
	new := recordtest.Make(t, recordtest.Options{Policy: looser, Answers: answers, Site: site})
	var b strings.Builder
	if err := transparency.PrintComparison(&b, old, new); err != nil {
		t.Fatal(err)
	}
	last := -1
	for _, want := range []string{
		"MORE MAY BE KNOWN", "time that one number stands for", "before: 900", "now:    300", "LESS MAY BE KNOWN", "a delivered number stays",
		"THE CONTROLLER SAYS OTHERWISE", "City of Others", "OTHERWISE DIFFERENT", "other.example.org",
	} {
		i := strings.Index(b.String(), want)
		if i < last {
			t.Errorf("%q is not there, or too early:\n%s", want, b.String())
		}
		last = max(last, i)
	}
	b.Reset()
	if err := transparency.PrintComparison(&b, old, old); err != nil || !strings.HasPrefix(b.String(), "Nothing changed") {
		t.Errorf("one record with itself: %v %s", err, b.String())
	}
}

func TestAFleetIsGroupedByWhatARegisterTakesAsOneEntry(t *testing.T) {
	dir := t.TempDir()
	other := recordtest.Replace(t, recordtest.Site, "pi-0a1b", "pi-0a1c")
	strict := recordtest.Replace(t, recordtest.Policy, "clear.epsilon = 1.0", "clear.epsilon = 0.5")
	for name, o := range map[string]recordtest.Options{
		"a": {}, "b": {Site: other}, "c": {Site: recordtest.Replace(t, recordtest.Site, "pi-0a1b", "pi-0a1d"), Policy: strict},
	} {
		b, err := recordtest.Make(t, o).JSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".json"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	records, err := transparency.LoadFleet(dir)
	if err != nil {
		t.Fatal(err)
	}
	groups := transparency.Fleet(records)
	if len(groups) != 2 || len(groups[0]) != 2 || len(groups[1]) != 1 {
		t.Errorf("%d groups", len(groups))
	}
	// One path at epsilon 1 on two devices, and at 0.5 on a third, of one site.
	for _, l := range transparency.SiteLedger(records) {
		if l.Devices != 3 || l.Sensors != 3 || l.Epsilon != 2.5 {
			t.Errorf("%+v", l)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "d.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := transparency.LoadFleet(dir); err == nil || !strings.Contains(err.Error(), "d.json") {
		t.Errorf("a file that is no record: %v", err)
	}
}

func TestTheCodeOfADeviceIsShortAndItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{"pi-0a1b", "pi-0a1c", "pi-0a1d"} {
		code := transparency.DeviceCode("helsinki", "mannerheimintie", name)
		if len(code) != 9 || code[4] != '-' || seen[code] {
			t.Errorf("%s: %s", name, code)
		}
		seen[code] = true
	}
}
