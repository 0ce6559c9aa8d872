package notice_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kerb/agent/policy"
	"kerb/agent/transparency"
	"kerb/agent/transparency/notice"
	"kerb/agent/transparency/recordtest"
	"kerb/agent/transparency/register"
)

// A flip changes one enforced setting.
type flip struct {
	key     string // of policy.toml or site.toml, or a measured value
	old     string // in the policy, or else in the site
	new     string
	measure func(*transparency.Inputs)
	hidden  string // outputs that do not show it but by the policy's hash
}

// suppress turns the method of the test policy.
const (
	noiseKeys    = "clear.method = \"noise\"\nclear.epsilon = 1.0\nclear.below = 5\n"
	suppressKeys = "clear.method = \"suppress\"\nclear.below = 10\nclear.round = 10\n"
)

// flips are all settings that the record tells. hidden lists the outputs in which a
// setting has no place: sign and registers are short.
func flips() []flip {
	return []flip{
		{key: "count.streams", old: `["line", "zone", "loop"]`, new: `["line", "loop"]`, hidden: "nl nl-api atrs dtpr dtpr-ai amsterdam dpv art30 questions charter sign page"},
		{key: "count.classes", old: `["person", "bicycle", "vehicle"]`, new: `["person", "bicycle", "vehicle", "car"]`, hidden: "nl nl-api atrs dtpr dtpr-ai amsterdam dpv art30 questions charter sign page"},
		{key: "count.quantities", old: "clear.window = \"15m\"", new: "clear.window = \"15m\"\ncount.quantities = [\"occupancy\"]", hidden: "dtpr"},
		{key: "camera.pixels", old: `"640x480"`, new: `"320x240"`, hidden: "dtpr amsterdam charter sign page"},
		{key: "camera.follow_max", old: `"30s"`, new: `"20s"`, hidden: "dtpr amsterdam sign page"},
		{key: "camera.masks_required", old: "camera.masks_required = true", new: "camera.masks_required = false", hidden: "nl nl-api atrs dtpr dtpr-ai amsterdam dpv art30 questions charter sign page"},
		{key: "mask", old: `clear.window = "15m"`, new: "clear.window = \"15m\"\nmask = [{camera = \"north\", area = [[0, 0], [0.3, 0], [0.3, 0.3]]}]", hidden: "nl nl-api dtpr amsterdam charter sign page"},
		{key: "hours.open", old: "06:00-22:00", new: "07:00-22:00", hidden: "dtpr amsterdam art30 charter"},
		{key: "hours.timezone", old: "Europe/Helsinki", new: "Europe/Paris", hidden: "dtpr amsterdam art30 charter"},
		{key: "clear.window", old: `"15m"`, new: `"30m"`, hidden: "dtpr"},
		{key: "clear.method", old: noiseKeys, new: suppressKeys},
		{key: "clear.epsilon", old: "epsilon = 1.0", new: "epsilon = 0.5", hidden: "dtpr sign"},
		{key: "clear.below", old: "clear.below = 5", new: "clear.below = 8", hidden: "dtpr"},
		{key: "clear.overlap", old: "overlap = 2", new: "overlap = 1", hidden: "nl nl-api atrs dtpr dtpr-ai amsterdam dpv art30 questions charter sign page"},
		{key: "keep.retention", old: `"72h"`, new: `"25h"`},
		{key: "aim.show", old: "aim.show = \"silhouettes\"\naim.session = \"30m\"\n", new: "", hidden: "nl nl-api atrs dtpr dtpr-ai amsterdam dpv art30 questions charter sign page"},
		{key: "aim.session", old: `"30m"`, new: `"20m"`, hidden: "nl nl-api atrs dtpr dtpr-ai amsterdam dpv art30 questions charter sign page"},
		{key: "status.page", old: "aim.session = \"30m\"\n", new: "aim.session = \"30m\"\nstatus.page = false\n", hidden: "nl nl-api atrs dtpr dtpr-ai amsterdam dpv art30 questions charter sign page"},
		{key: "broker.commands", old: `["resend"]`, new: "[]", hidden: "nl nl-api dtpr amsterdam art30 charter sign page"},
		{key: "title", old: `"Street"`, new: `"Road"`, hidden: "nl nl-api atrs dtpr dtpr-ai amsterdam dpv art30 questions charter sign"},
		{key: "version", old: "version = 3", new: "version = 4", hidden: "dtpr dtpr-ai amsterdam dpv art30 questions charter sign"},
		// It shows in the warning that policy and answers name different controllers.
		{key: "controller.name", old: `controller.name = "City"`, new: `controller.name = "Town"`, hidden: "sign"},
		{key: "controller.contact", old: `"count@example.org"`, new: `"c@example.org"`, hidden: "nl nl-api atrs dtpr dtpr-ai amsterdam dpv art30 questions charter sign page"},

		{key: "site: device.name", old: "pi-0a1b", new: "pi-0a1c"},
		{key: "site: device.place", old: "corner of the park", new: "corner of the square", hidden: "nl nl-api atrs dtpr-ai amsterdam dpv art30 questions charter sign"},
		{key: "site: broker's host", old: "broker.example.org", new: "other.example.org", hidden: "nl nl-api dtpr amsterdam charter sign page"},
		{key: "site: broker without TLS", old: "mqtts://", new: "mqtt://", hidden: "amsterdam page"},
		{key: "site: no camera", old: cameraTable(), new: ""},
		{key: "site: no loops", old: loopTables(), new: ""},
		{key: "site: kind of source", old: `source = "http://camera.example.org/video"`, new: `source = "/dev/video0"`, hidden: "nl nl-api dtpr amsterdam charter sign page"},
		{key: "site: classes", old: `["person", "bicycle"]`, new: `["person"]`},
		{key: "site: detector", old: "name = \"north\"", new: "name = \"north\"\ndetector = \"motion\""},
		{key: "site: mask", old: "[[camera.mask]]\npolygon = [[0, 0], [0.2, 0], [0.2, 0.2]]\n", new: "[[camera.mask]]\npolygon = [[0, 0], [0.2, 0], [0.2, 0.2]]\n[[camera.mask]]\npolygon = [[0.5, 0], [0.7, 0], [0.7, 0.2]]\n", hidden: "nl nl-api dtpr amsterdam charter sign page"},

		{key: "walls", measure: func(in *transparency.Inputs) { in.Walls[0].Walls[0].Holds = false }, hidden: "sign"},
		{key: "build", measure: func(in *transparency.Inputs) { in.Build.Version, in.Build.Binary = "1.2.4", strings.Repeat("cd", 32) }, hidden: "dtpr amsterdam art30 dpv sign"},
		{key: "network", measure: func(in *transparency.Inputs) { in.Networks[0].SHA256 = strings.Repeat("03", 32) }, hidden: "nl nl-api dtpr dtpr-ai amsterdam dpv art30 questions charter dpia sign page"},
	}
}

func cameraTable() string {
	_, rest, _ := strings.Cut(recordtest.Site, "[[camera]]")
	table, _, _ := strings.Cut(rest, "[[loop.line]]")
	return "[[camera]]" + table
}

func loopTables() string {
	_, rest, _ := strings.Cut(recordtest.Site, "[[loop.line]]")
	return "[[loop.line]]" + rest
}

// make makes the record after the flip.
func (f flip) make(t *testing.T) *transparency.Record {
	t.Helper()
	o := recordtest.Options{Answers: recordtest.Answers, Change: f.measure}
	switch {
	case f.measure != nil:
	case strings.HasPrefix(f.key, "site: "):
		o.Site = recordtest.Replace(t, recordtest.Site, f.old, f.new)
		if f.key == "site: no camera" {
			o.Policy = recordtest.Replace(t, recordtest.Policy, "camera.masks_required = true", "camera.masks_required = false")
		}
	default:
		o.Policy = recordtest.Replace(t, recordtest.Policy, f.old, f.new)
	}
	return recordtest.Make(t, o)
}

var (
	hashText = regexp.MustCompile(`(sha256[:-]|urn:kerb:policy:)[0-9a-f]{64}`)
	qrPath   = regexp.MustCompile(`<g transform.*`)
)

// outputs are the record, all exports, sign and page.
func outputs(t *testing.T, r *transparency.Record) map[string]string {
	t.Helper()
	all := map[string]string{}
	b, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	all["record"] = string(b)
	for _, e := range register.Exporters() {
		if e.Name() == "amsterdam-owner" { // it holds answers alone
			continue
		}
		var b bytes.Buffer
		if _, err := e.Export(&b, transparency.Fleet([]*transparency.Record{r})); err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = b.String()
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"sign": func(b *bytes.Buffer) error { _, err := notice.WriteSign(b, r, notice.English, notice.A5); return err },
		"page": func(b *bytes.Buffer) error { _, err := notice.WritePage(b, r, notice.English, nil); return err },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		all[name] = b.String()
	}
	return all
}

// withoutHash masks the policy's hash, and the QR code that holds it.
func withoutHash(text string) string {
	return qrPath.ReplaceAllString(hashText.ReplaceAllString(text, "HASH"), "QR")
}

// Every enforced setting shows in the record and the DPIA pack, and in every output but
// those that have no place for it. A changed policy shows in all of them by its hash.
func TestEveryEnforcedSettingShows(t *testing.T) {
	plain := recordtest.Make(t, recordtest.Options{Answers: recordtest.Answers})
	before := outputs(t, plain)
	for _, f := range flips() {
		r := f.make(t)
		after := outputs(t, r)
		var hidden []string
		for _, name := range slices.Sorted(maps.Keys(before)) {
			if withoutHash(after[name]) == withoutHash(before[name]) {
				hidden = append(hidden, name)
			}
			if r.Policy.Hash.Value != plain.Policy.Hash.Value && after[name] == before[name] {
				t.Errorf("%s: another policy does not show in %s at all", f.key, name)
			}
		}
		want := strings.Fields(f.hidden)
		slices.Sort(want)
		if !slices.Equal(hidden, want) {
			t.Errorf("%s does not show in %q; the table says %q", f.key, strings.Join(hidden, " "), strings.Join(want, " "))
		}
		for key, fact := range r.Declared {
			if was := plain.Declared[key]; !sameJSON(was.Value, fact.Value) {
				t.Errorf("%s changes the declared %s from %v to %v", f.key, key, was.Value, fact.Value)
			}
		}
	}
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// The table of flips has every key of the policy, so that a new key cannot be forgotten.
func TestEveryKeyOfThePolicyIsFlipped(t *testing.T) {
	var schema struct {
		Properties map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(policy.JSONSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	// purpose needs two signatures, round belongs to another method, and so do totals and bands:
	// the tests below flip them. alert needs the purpose and the method of package busyness.
	elsewhere := []string{"schema", "purpose", "clear.round", "clear.totals", "clear.bands", "alert"}
	for head, table := range schema.Properties {
		keys := []string{head}
		if len(table.Properties) > 0 {
			keys = nil
			for name := range table.Properties {
				keys = append(keys, head+"."+name)
			}
		}
		for _, key := range keys {
			if !slices.Contains(elsewhere, key) && !slices.ContainsFunc(flips(), func(f flip) bool { return f.key == key }) {
				t.Errorf("no flip of %s", key)
			}
		}
	}
}

func TestTheKeysOfOtherMethodsShow(t *testing.T) {
	suppressed := recordtest.Replace(t, recordtest.Policy, noiseKeys, suppressKeys)
	zones := strings.Replace(recordtest.Site, "[[camera.line]]\nid = \"path\"\nfrom = [0.1, 0.5]\nto = [0.9, 0.5]", "[[camera.zone]]\nid = \"path\"\npolygon = [[0, 0.5], [1, 0.5], [1, 1]]", 1)
	zones = strings.Replace(zones, loopTables(), "", 1)
	banded := recordtest.Replace(t, recordtest.Policy, noiseKeys, "clear.method = \"bands\"\nclear.bands = [5, 10]\n")
	banded = recordtest.Replace(t, banded, `["line", "zone", "loop"]`, `["zone"]`)
	for name, pair := range map[string][3]string{
		"clear.round":  {"", suppressed, recordtest.Replace(t, suppressed, "clear.round = 10", "clear.round = 20")},
		"clear.totals": {"", suppressed, recordtest.Replace(t, suppressed, "clear.round = 10", "clear.round = 10\nclear.totals = true")},
		"clear.bands":  {zones, banded, recordtest.Replace(t, banded, "[5, 10]", "[5, 15]")},
	} {
		before := outputs(t, recordtest.Make(t, recordtest.Options{Site: pair[0], Policy: pair[1], Answers: recordtest.Answers}))
		after := outputs(t, recordtest.Make(t, recordtest.Options{Site: pair[0], Policy: pair[2], Answers: recordtest.Answers}))
		for _, out := range []string{"record", "dpia"} {
			if withoutHash(before[out]) == withoutHash(after[out]) {
				t.Errorf("%s does not show in %s", name, out)
			}
		}
		if before["sign"] == after["sign"] || before["page"] == after["page"] {
			t.Errorf("%s does not show on sign and page", name)
		}
	}
}
