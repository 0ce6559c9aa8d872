package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"

	"kerb/agent/filecheck"
	"kerb/agent/mistake"
	"kerb/agent/terminal"
	"kerb/agent/want"
)

const templateText = `version = 3
[device]
tenant = "{{tenant}}"
site = "{{site}}"
name = "serial"
place = { lat = {{lat}}, lon = -0.1, description = "{{place}}" }
[broker]
url = "mqtts://broker.example"
ca_file = "/etc/kerb/ca.pem"
[[camera]]
name = "north"
source = "{{camera}}"
[[camera.line]]
id = "kerb"
classes = ["person", "vehicle"]
from = [0.1, 0.5]
to = [0.9, {{ y }}]
`

// writeTable writes a table of n devices, of which change may alter the fields.
func writeTable(t *testing.T, n int, change func(i int, fields []string)) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("tenant,site,device,lat,place,camera,y\n")
	for i := range n {
		fields := []string{"tfl", fmt.Sprint("junction-", i/4), fmt.Sprintf("%016x", i), "51.5", `"Lamp ""` + fmt.Sprint(i) + `"", High Street"`, fmt.Sprintf("rtsp://10.0.%d.%d/stream2", i>>8, i&255), "0.5"}
		if change != nil {
			change(i, fields)
		}
		b.WriteString(strings.Join(fields, ",") + "\n")
	}
	return writeTemp(t, "rows.csv", b.String())
}

func writeTemp(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, c interface {
	Run(context.Context, terminal.Terminal) error
},
) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := c.Run(t.Context(), terminal.Terminal{Out: &out, Err: &out})
	return out.String(), err
}

func TestElevenThousandSiteFilesComeFromOneTemplate(t *testing.T) {
	n := 1_000
	if os.Getenv("KERB_LONG") != "" {
		n = 11_000
	}
	dir := filepath.Join(t.TempDir(), "sites")
	c := &SitesCommand{Template: writeTemp(t, "site.tmpl", templateText), Rows: writeTable(t, n, nil), Policy: "../../configs/policy-standard.toml", Out: dir}
	out, err := run(t, c)
	names, _ := os.ReadDir(dir)
	if err != nil || len(names) != n || !strings.HasPrefix(out, fmt.Sprint(n)) {
		t.Fatalf("%v, %d files\n%s", err, len(names), out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "tfl.junction-0.0000000000000003.toml"))
	if err != nil || !strings.Contains(string(b), `description = "Lamp \"3\", High Street"`) {
		t.Errorf("%v\n%s", err, b)
	}
	if _, err := run(t, c); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a folder with files in it: %v", err)
	}
	if f, err := filecheck.CheckFolder(t.Context(), dir, c.Policy); err != nil || f.Files != n || f.Err() != nil {
		t.Errorf("kerb check -site: %d files, %v, %v", f.Files, f.Err(), err)
	}
}

// lanesText is the loops of a site; the counter takes no card of pulses for classes by length.
const lanesText = `
[loop]
[[loop.line]]
name = "A"
gpio = "GPIO17"
[[loop.line]]
name = "B"
gpio = "GPIO27"
card = "{{card}}"
[[loop.lane]]
id = "out"
loops = ["A", "B"]
spacing = 4.0
loop_length = 2.0
split = true
`

// The rows are checked with the checks of the counter too, as by kerb check on the device.
func TestALaneThatNoCounterTakesIsFoundAtTheCentre(t *testing.T) {
	rows := writeTemp(t, "rows.csv", "tenant,site,device,lat,place,camera,y,card\na,b,c,1,x,rtsp://h/s,0.5,presence\na,b,d,1,x,rtsp://h/s,0.5,pulse\n")
	_, err := run(t, &SitesCommand{Template: writeTemp(t, "site.tmpl", templateText+lanesText), Rows: rows})
	var wrong mistake.List
	if !errors.As(err, &wrong) || len(wrong) != 1 || wrong[0].Line != 3 || !strings.Contains(err.Error(), "lane out: classes by length need two loops with presence cards") {
		t.Errorf("%v", err)
	}
}

func TestOneWrongRowIsNamedAndNothingIsWritten(t *testing.T) {
	for name, c := range map[string]struct {
		template string
		change   func(i int, fields []string)
		want     []string
	}{
		"a source":            {templateText, func(i int, f []string) { f[5] = "rtps://10.0.0.1/" }, []string{":502: ", "camera[0].source", "site.tmpl:12", "column camera"}},
		"a number":            {templateText, func(i int, f []string) { f[6] = "1.5" }, []string{":502: ", "column y"}},
		"a key in a value":    {templateText, func(i int, f []string) { f[5] = `"a""` + "\nkey = 1" + `"` }, []string{":502: ", "control character"}},
		"what no policy has":  {strings.Replace(templateText, `["person", "vehicle"]`, `["{{camera}}"]`, 1), nil, []string{":2: "}},
		"a name":              {templateText, func(i int, f []string) { f[1] = "High Street" }, []string{":502: column site", "High Street"}},
		"a device twice":      {templateText, func(i int, f []string) { f[1], f[2] = "junction-0", fmt.Sprintf("%016x", 1) }, []string{":502: ", "in line 3 already"}},
		"a field too many":    {templateText, func(i int, f []string) { f[6] = "0.5,0.6" }, []string{"502", "wrong number of fields"}},
		"a column of no name": {strings.Replace(templateText, "{{place}}", "{{plaza}}", 1), nil, []string{"site.tmpl:6: {{plaza}}", "tenant, site, device"}},
	} {
		t.Run(name, func(t *testing.T) {
			table := writeTable(t, 1000, func(i int, f []string) {
				if i == 500 && c.change != nil {
					c.change(i, f)
				}
			})
			dir := filepath.Join(t.TempDir(), "sites")
			_, err := run(t, &SitesCommand{Template: writeTemp(t, "site.tmpl", c.template), Rows: table, Out: dir})
			if err == nil {
				t.Fatal("taken")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %v", part, err)
				}
			}
			if _, serr := os.Stat(dir); serr == nil {
				t.Error("files were written")
			}
		})
	}
}

func TestAPolicyThatForbidsARowIsNamed(t *testing.T) {
	text := strings.Replace(templateText, `classes = ["person", "vehicle"]`, `classes = ["{{class}}"]`, 1)
	rows := writeTemp(t, "rows.csv", "tenant,site,device,lat,place,camera,y,class\na,b,c,1,x,rtsp://h/s,0.5,person\na,b,d,1,x,rtsp://h/s,0.5,motorcycle\n")
	_, err := run(t, &SitesCommand{Template: writeTemp(t, "site.tmpl", text), Rows: rows, Policy: "../../configs/policy-standard.toml"})
	var wrong mistake.List
	if !errors.As(err, &wrong) || len(wrong) != 1 || wrong[0].Line != 3 || !strings.Contains(err.Error(), "motorcycle") {
		t.Errorf("%v", err)
	}
}

// newKey returns a secret key of minisign in a file, and its public half.
func newKey(t *testing.T, password string) (path string, public minisign.PublicKey) {
	t.Helper()
	public, private, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := private.MarshalText()
	if password != "" {
		b, err = minisign.EncryptKey(password, private)
	}
	if err != nil {
		t.Fatal(err)
	}
	return writeTemp(t, "secret.key", string(b)), public
}

func TestTwoPeopleSignWhatAFleetShallRunUnder(t *testing.T) {
	dir := t.TempDir()
	sites, signed := filepath.Join(dir, "sites"), filepath.Join(dir, "signed")
	if _, err := run(t, &SitesCommand{Template: writeTemp(t, "site.tmpl", templateText), Rows: writeTable(t, 20, nil), Out: sites}); err != nil {
		t.Fatal(err)
	}
	anna, annasKey := newKey(t, "")
	password := ""
	if os.Getenv("KERB_LONG") != "" { // minisign's scrypt takes seconds and 1 GB
		password = "secret"
	}
	bert, bertsKey := newKey(t, password)
	first := &SignCommand{Dir: signed, Key: anna, Sites: sites, Policy: "../../configs/policy-standard.toml", Version: 7, Trial: time.Hour}
	strict := *first
	strict.Policy = "../../configs/policy-strict.toml" // wants masks
	if _, err := run(t, &strict); err == nil || !strings.Contains(err.Error(), "has no mask") {
		t.Errorf("a policy that the sites do not fit: %v", err)
	}
	if out, err := run(t, first); err != nil || !strings.Contains(out, "20 messages") || !strings.Contains(out, "-add") {
		t.Fatalf("%v\n%s", err, out)
	}
	if password != "" {
		if _, err := run(t, &SignCommand{Dir: signed, Key: bert, Add: true}); err == nil || !strings.Contains(err.Error(), "-password-file") {
			t.Errorf("without the password of the key: %v", err)
		}
	}
	second := &SignCommand{Dir: signed, Key: bert, Add: true}
	if password != "" {
		second.Password = writeTemp(t, "password", password+"\n")
	}
	odd := filepath.Join(signed, "tfl.junction-2.000000000000000b.json")
	as := mustRead(t, odd)
	if err := os.WriteFile(odd, bytes.Replace(as, []byte(`"trial_s":3600`), []byte(`"trial_s":60`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, second); err == nil || !strings.Contains(err.Error(), "000000000000000b has another version, trial or policy") {
		t.Errorf("one message of 20 differs: %v", err)
	}
	if err := os.WriteFile(odd, as, 0o600); err != nil {
		t.Fatal(err)
	}
	allocated := totalAlloc()
	if out, err := run(t, second); err != nil || !strings.Contains(out, "kerb fleet send") || !strings.Contains(out, "version 7, tried for 1h0m0s, 20 site files, policy ") {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := totalAlloc() - allocated; password != "" && (n < 1<<30 || n > 3<<29) { // 1 GiB each time
		t.Errorf("%d messages: %d MB were allocated, want the 1 GiB of one decryption of the key", 20, n>>20)
	}
	if _, err := run(t, &SignCommand{Dir: signed, Key: anna, Add: true}); err == nil || !strings.Contains(err.Error(), "signed it already") {
		t.Errorf("signed twice by one person: %v", err)
	}
	messages, err := readMessages(signed)
	if err != nil || len(messages) != 20 {
		t.Fatalf("%v, %d messages", err, len(messages))
	}
	for _, m := range messages {
		for i, key := range []minisign.PublicKey{annasKey, bertsKey} {
			if m.Version != 7 || m.Trial() != time.Hour || !minisign.Verify(key, m.Statement(), []byte(m.Signatures[i])) {
				t.Errorf("%s: %+v", m.Address(), m)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(signed, "tfl.junction-0.other.json"), mustRead(t, filepath.Join(signed, "tfl.junction-0.0000000000000001.json")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readMessages(signed); err == nil || !strings.Contains(err.Error(), "it is for") {
		t.Errorf("a message under another device's name: %v", err)
	}
}

// totalAlloc returns the bytes that this process has ever allocated on its heap.
func totalAlloc() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStagesRise(t *testing.T) {
	for text, want := range map[string][]int{
		"1,1%,all": {1, 110, 11_000}, "all": {11_000}, "50%,10%": {5_500}, "1,0.001%,20000": {1, 11_000},
	} {
		if got, err := parseStages(strings.Split(text, ","), 11_000); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "0%", "101%", "some"} {
		if got, err := parseStages([]string{text}, 10); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestADeviceHasEndedWhenItKeepsRefusesOrGoesBack(t *testing.T) {
	m := &want.Message{Tenant: "a", Site: "b", Device: "c", Version: 7}
	for text, want := range map[string]struct {
		outcome string
		ended   bool
	}{
		`{}`: {"", false},
		`{"version":6,"outcome":"kept","in_force":6}`:                            {"kept", false},
		`{"version":7,"outcome":"trial","in_force":7}`:                           {"trial", false},
		`{"version":7,"outcome":"kept","in_force":7}`:                            {"kept", true},
		`{"version":7,"outcome":"refused","in_force":6,"reason":"not_signed"}`:   {"refused", true},
		`{"version":7,"outcome":"reverted","in_force":0,"reason":"no_delivery"}`: {"reverted", true},
		`{"version":5,"outcome":"refused","in_force":7,"reason":"old_version"}`:  {"kept", true},
	} {
		s := new(state)
		if err := json.Unmarshal([]byte(text), &s.Agent.Config); err != nil {
			t.Fatal(err)
		}
		if o, ended := judge(device{State: s}, m); ended != want.ended || ended && o.Outcome != want.outcome {
			t.Errorf("%s: %+v, ended %t", text, o, ended)
		}
	}
	if _, ended := judge(device{}, m); ended {
		t.Error("a device that has told nothing has ended")
	}
	for commands, ends := range map[string]bool{`["resend"]`: true, `[]`: true, `["resend","want"]`: false, `null`: false} {
		told := new(meta)
		if err := json.Unmarshal([]byte(`{"commands":`+commands+`}`), told); err != nil {
			t.Fatal(err)
		}
		if o, ended := judge(device{State: new(state), Meta: told}, m); ended != ends || ended && (o.Outcome != waiting || o.Reason != "not_allowed") {
			t.Errorf("commands %s: %+v, ended %t", commands, o, ended)
		}
	}
}
