package relay

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerb/agent/relay"
)

// devicesOfFormats is one of each kind.
const devicesOfFormats = 5

// A day of the fleet, with gaps, withheld and noised windows, goes through the relay into
// each format; the consumers' own validators read the files.
func TestADayInEachFormat(t *testing.T) {
	b, dir := startBroker(t), t.TempDir()
	relays := map[string]*process{}
	for _, f := range relay.FormatNames() {
		relays[f] = startProcess(t, role(relayRole, relay.Opts{
			Broker: b.url, Format: f, Out: filepath.Join(dir, "out", f), Dir: filepath.Join(dir, "state", f), Country: "gb", Ask: 2 * time.Second, Gather: 200 * time.Millisecond,
		}))
	}
	devices := startProcess(t, role(fleetRole, fleetOpts{Broker: b.url, Dir: filepath.Join(dir, "devices"), N: devicesOfFormats}))
	for f := range relays {
		waitComplete(t, filepath.Join(dir, "state", f), devicesOfFormats)
	}
	devices.stop()
	for _, p := range relays {
		p.stop()
	}
	truth := readReleases(t, filepath.Join(dir, "devices"))
	t.Run("csv", func(t *testing.T) { checkPlainCSV(t, filepath.Join(dir, "out", "csv"), truth) })
	t.Run("csv-fr", func(t *testing.T) { checkFrenchCSV(t, filepath.Join(dir, "out", "csv-fr")) })
	t.Run("datex2", func(t *testing.T) { checkDatex(t, filepath.Join(dir, "out", "datex2")) })
	t.Run("ngsi-ld", func(t *testing.T) { checkNGSI(t, filepath.Join(dir, "out", "ngsi-ld")) })
	t.Run("sensorthings", func(t *testing.T) {
		checkJSONFiles(t, filepath.Join(dir, "out", "sensorthings"), "observations-", "thing-")
	})
	t.Run("thingsboard", func(t *testing.T) { checkJSONFiles(t, filepath.Join(dir, "out", "thingsboard"), "telemetry-") })
}

// waitComplete waits until the ledger has the whole day of so many devices, and the sink
// all of it.
func waitComplete(t *testing.T, dir string, devices int) {
	t.Helper()
	defer func() {
		if l, err := relay.ReadLedger(dir, "2026-11-23"); t.Failed() && err == nil {
			_ = l.WriteCSV(os.Stderr)
		}
	}()
	waitFor(t, "a whole day in "+dir, func() bool {
		l, err := relay.ReadLedger(dir, "2026-11-23")
		if err != nil {
			return false
		}
		seen := map[string]bool{}
		for _, r := range l.Rows {
			if r.Due != slots || r.Received-r.Parts+sumOf(r.Gone) < slots || r.Missing+r.Awaited+r.Unexplained+r.Waiting > 0 {
				return false
			}
			seen[r.Tenant+r.Site+r.Device] = true
		}
		return len(seen) == devices
	})
}

func sumOf(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// checkPlainCSV compares the rows with what the devices released: each window once, and
// the same numbers.
func checkPlainCSV(t *testing.T, dir string, truth map[string]released) {
	seen, cells := map[string]bool{}, 0
	for _, r := range readCSV(t, filepath.Join(dir, "windows-*.csv")) {
		key := r["tenant"] + "/" + r["site"] + "/" + r["device"] + "|" + r["stream"] + "|" + r["epoch"] + "|" + r["seq"]
		cell := key + r["class"] + r["dir"]
		w, ok := truth[key]
		if !ok || seen[cell] {
			t.Fatalf("%s: released %t, twice %t", cell, ok, seen[cell])
		}
		seen[cell], seen[key] = true, true
		for _, c := range w.Counts {
			if c.Class == r["class"] && c.Dir == r["dir"] {
				cells++
				want := ""
				if c.N != nil {
					b, _ := json.Marshal(*c.N)
					want = string(b)
				}
				if r["n"] != want {
					t.Fatalf("%s: n %q, released %q", cell, r["n"], want)
				}
			}
		}
		if (r["quality"] == "gap") != (r["class"] == "") {
			t.Fatalf("%v: a gap has no class, and others have", r)
		}
	}
	for key := range truth {
		if !seen[key] {
			t.Errorf("%s was released and is not in the files", key)
		}
	}
	t.Logf("%d windows, %d cells", len(truth), cells)
}

// checkFrenchCSV checks the two files by the rules of the schema, and with the library of
// Frictionless where it is installed.
func checkFrenchCSV(t *testing.T, dir string) {
	channels := map[string]bool{}
	for _, r := range readCSV(t, filepath.Join(dir, "channels.csv")) {
		if channels[r["channel_id"]] || r["mobility_type"] == "" || r["time_step"] != "900" {
			t.Errorf("channel %v", r)
		}
		channels[r["channel_id"]] = true
	}
	rows := readCSV(t, filepath.Join(dir, "measures-*.csv"))
	empty := 0
	for _, r := range rows {
		if !channels[r["channel_id"]] {
			t.Fatalf("%v: no such channel", r)
		}
		if r["count"] == "" {
			empty++
		}
	}
	if len(rows) == 0 || empty == 0 || empty == len(rows) {
		t.Errorf("%d rows, %d of them not counted", len(rows), empty)
	}
	t.Logf("%d channels, %d measures, %d of them empty", len(channels), len(rows), empty)
	files, _ := filepath.Glob(filepath.Join(dir, "*.csv"))
	runConsumer(t, "tableschema", "french.mjs", files...)
}

// runConsumer runs a script of the folder consumers, or skips where its library is not
// installed.
func runConsumer(t *testing.T, library, script string, args ...string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join("consumers", "node_modules", library)); err != nil {
		t.Skipf("no %s: make relay-consumers", library)
	}
	out, err := exec.Command("node", append([]string{filepath.Join("consumers", script)}, args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%.4000s", err, out)
	}
	t.Logf("%s", out)
}

// shared returns a folder of other people's schemas, or skips.
func shared(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("KERB_SHARED")
	if dir == "" {
		dir = "../../../shared"
	}
	dir = filepath.Join(dir, "schemas", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no schemas here (KERB_SHARED): %v", err)
	}
	return dir
}

// checkDatex validates all files with xmllint against the XSDs of DATEX II 3.5. The
// control: a file with a negative flow is refused.
func checkDatex(t *testing.T, dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*.xml"))
	text := ""
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
	}
	for _, part := range []string{
		"MeasurementSiteTablePublication", "MeasuredDataPublication", "<com:vehicleFlowRate>", "standardDeviation=", "<com:dataError>true",
		"clipped to 0", "noDataValuesAvailable", "camera_lost", "TrafficConcentration", "TrafficSpeed", "southBound", "<loc:bearing>75<",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in %d files", part, len(files))
		}
	}
	xsd := filepath.Join(shared(t, "datex2-3.5"), "DATEXII_3_D2Payload.xsd")
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skip("no xmllint: install the package libxml2-utils")
	}
	if out, err := exec.Command("xmllint", append([]string{"--nonet", "--noout", "--schema", xsd}, files...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%.4000s", err, out)
	}
	measured, _ := filepath.Glob(filepath.Join(dir, "measured-*.xml"))
	bad := ""
	for _, f := range measured {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), "<com:vehicleFlowRate>") {
			bad = strings.Replace(string(b), "<com:vehicleFlowRate>", "<com:vehicleFlowRate>-1", 1) // −0 would be valid
		}
	}
	planted := filepath.Join(t.TempDir(), "planted.xml")
	if err := os.WriteFile(planted, []byte(bad), 0o600); bad == "" || err != nil {
		t.Fatalf("no flow to make negative: %v", err)
	}
	if exec.Command("xmllint", "--nonet", "--noout", "--schema", xsd, planted).Run() == nil {
		t.Error("a negative flow validates: the validator does not look")
	}
	t.Logf("%d files, %d site measurements, %d faults, %d withheld", len(files), strings.Count(text, "<roa:siteMeasurements>"),
		strings.Count(text, "<roa:physicalQuantityFault>"), strings.Count(text, "<com:dataError>true"))
}

// checkNGSI validates all entities with ajv against the schemas of Smart Data Models. The
// controls are in the script: a negative count, and an entity without dateObserved.
func checkNGSI(t *testing.T, dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "entities-*.jsonld"))
	kinds, clipped, withheld := map[string]int{}, 0, 0
	ids := map[string]bool{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var es []map[string]any
		if err := json.Unmarshal(b, &es); err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			kinds[e["type"].(string)]++
			if ids[e["id"].(string)] {
				t.Fatalf("%v comes twice", e["id"])
			}
			ids[e["id"].(string)] = true
			if e["kerbClipped"] == true {
				clipped++
			}
			if e["kerbBelow_intensity"] != nil {
				withheld++
			}
			if e["kerbQuality"] == "gap" && (e["intensity"] != nil || e["peopleCount"] != nil || e["kerbMean"] != nil) {
				t.Fatalf("a gap has a number: %v", e)
			}
		}
	}
	if kinds["TrafficFlowObserved"] == 0 || kinds["CrowdFlowObserved"] == 0 || clipped == 0 || withheld == 0 {
		t.Errorf("%v, %d clipped, %d withheld", kinds, clipped, withheld)
	}
	t.Logf("%v, %d clipped, %d withheld", kinds, clipped, withheld)
	schemas := shared(t, "smart-data-models")
	if _, err := os.Stat("../wire/node_modules/ajv"); err != nil {
		t.Skip("no ajv: (cd test/wire && npm ci)")
	}
	out, err := exec.Command("node", append([]string{"../wire/ngsi.mjs", schemas}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%.4000s", err, out)
	}
	t.Logf("%s", out)
	runConsumer(t, "iotagent-node-lib", "iotagent.mjs", files...)
}

// checkJSONFiles checks that there are JSON files of each name, for formats of which no
// consumer can be had.
func checkJSONFiles(t *testing.T, dir string, prefixes ...string) {
	for _, p := range prefixes {
		files, _ := filepath.Glob(filepath.Join(dir, p+"*.json"))
		if len(files) == 0 {
			t.Errorf("no file %s*", p)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil || !json.Valid(b) {
				t.Errorf("%s: %v", f, err)
			}
		}
	}
}
