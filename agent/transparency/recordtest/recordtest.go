// Package recordtest makes transparency records for tests: of real files, read by the real
// readers, in a temporary directory.
package recordtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerb/agent/admission"
	"kerb/agent/cage"
	"kerb/agent/config"
	"kerb/agent/proof"
	"kerb/agent/publisher"
	"kerb/agent/transparency"
)

// Site is a site with a camera and a lane of loops.
const Site = `[device]
name = "pi-0a1b"
site = "mannerheimintie"
tenant = "helsinki"
state = "state"
[device.place]
lat = 60.17
lon = 24.94
description = "corner of the park"
[broker]
url = "mqtts://broker.example.org:8883"
[[camera]]
name = "north"
source = "http://camera.example.org/video"
[[camera.line]]
id = "path"
from = [0.1, 0.5]
to = [0.9, 0.5]
classes = ["person", "bicycle"]
[[camera.mask]]
polygon = [[0, 0], [0.2, 0], [0.2, 0.2]]
[[loop.line]]
name = "L1"
gpio = "GPIO17"
[[loop.lane]]
id = "lane"
loops = ["L1"]
loop_length = 2.0
`

// Policy is a policy with noise.
const Policy = `schema = "kerb.policy/1"
version = 3
title = "Street"
purpose = "statistical"
controller.name = "City"
controller.contact = "count@example.org"
count.streams = ["line", "zone", "loop"]
count.classes = ["person", "bicycle", "vehicle"]
camera.pixels = "640x480"
camera.follow_max = "30s"
camera.masks_required = true
hours.open = ["Mon-Sun 06:00-22:00"]
hours.timezone = "Europe/Helsinki"
clear.window = "15m"
clear.method = "noise"
clear.epsilon = 1.0
clear.below = 5
clear.overlap = 2
keep.retention = "72h"
aim.show = "silhouettes"
aim.session = "30m"
broker.commands = ["resend"]
`

// Answers is a declared.toml with every answer.
const Answers = `schema = "kerb.declared/1"
[controller]
name = "City of Example"
contact = "count@example.org"
email = "register@example.org"
phone = "14020"
number = "12345678"
team = "Mobility data"
responsible = "Head of mobility"
dpo = "dpo@example.org"
region = "Uusimaa"
[notice]
url = "https://example.org/counting/{code}"
privacy_url = "https://example.org/privacy"
why = "To plan wider pavements"
objection = "Write to dpo@example.org."
[purpose]
objective = "To know how busy the pavement is."
use = "Planning of pavements"
impacts = "People who walk there"
benefit = "More room"
previous = "Counts by hand"
alternatives = "Counts by hand all year"
integration = "A dashboard"
status = "use"
start = "2026-11"
end = "2028-12"
removal = "2028-12-31"
signals = false
[law]
basis = "A task in the public interest"
article = "e"
title = "Road Act"
link = "https://example.org/act"
personal_data = true
necessity = "Loops cannot count people"
proportionality = "Little harm, some use"
recipients = "Nobody else"
transfers = "none"
ai_act = "not high-risk"
ai_act_reasons = "no safety component"
publication_category = "C"
[assessment]
names = ["Data Protection Impact Assessment (DPIA)"]
link = "https://example.org/dpia"
explanation = "No IAMA: no decision about people"
consultation = "Neighbours were asked"
equality = "Wheelchairs are not measured"
risks = "Function creep: signed policies"
residual_risk = "Small, accepted by the head of mobility"
signed_off = "Head of mobility, 2026-11-01"
[oversight]
human = "A planner looks at every week"
frequency = "weekly"
training = "Half a day"
challenge = "Write to us"
ethics = "Who is missed"
[supplier]
name = "Example Ltd"
number = "87654321"
role = "installs"
procurement = "open call"
access = "none"
source_code = "https://example.org/kerb"
[charter]
publication = "On the city's page"
engagement = "A meeting"
non_digital = "A letter"
energy = "4 W measured"
[dtpr]
purpose = ["purpose__mobility"]
access = ["access__available_to_the_accountable_organization"]
storage = ["storage__stored_primarily_locally"]
rights = ["right_contest"]
[nl]
themes = ["Verkeer"]
[amsterdam]
themes = ["Mobiliteit: auto"]
legal_ground = "Publieke taak"
project = "Tellen"
first_name = "Afdeling"
last_name = "Verkeer"
street = "Dam"
house_number = "1"
postcode = "1012JS"
town = "Amsterdam"
`

// Options change the record that Make makes.
type Options struct {
	Site, Policy string // texts; empty: those of this package
	Answers      string // declared.toml; empty: none
	Change       func(*transparency.Inputs)
	State        func(dir string) // fills the state directory before the record is made
}

// Walls are measured walls that all hold.
func Walls() []cage.Report {
	return []cage.Report{
		{Role: "sense", Kernel: "6.1", Walls: []cage.Wall{{Name: "open a socket", Holds: true}, {Name: "open a file", Holds: true}}},
		{Role: "uplink", Kernel: "6.1", Walls: []cage.Wall{{Name: "start a program", Holds: true}, {Name: "dial", Reason: "speaks to its broker"}}},
	}
}

// Make writes the files and makes the record.
func Make(t testing.TB, o Options) *transparency.Record {
	t.Helper()
	r, err := TryMake(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TryMake is Make, and returns the error.
func TryMake(t testing.TB, o Options) (*transparency.Record, error) {
	t.Helper()
	dir := t.TempDir()
	f := admission.Files{Site: filepath.Join(dir, "site.toml"), Policy: filepath.Join(dir, "policy.toml")}
	for path, text := range map[string]string{f.Site: or(o.Site, Site), f.Policy: or(o.Policy, Policy)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	site, err := config.Load(f.Site)
	if err != nil {
		return nil, err
	}
	if o.State != nil {
		o.State(site.Device.State)
	}
	d, err := admission.Admit(f.Policy, site)
	if err != nil {
		return nil, err
	}
	in := transparency.Inputs{
		Files: f, Site: site, Decision: d, Walls: Walls(), Build: proof.BuildFacts{Version: "1.2.3", Go: "go1.26", Binary: strings.Repeat("ab", 32)},
		Networks: []publisher.Network{{Name: "street-large", SHA256: strings.Repeat("00", 32)}, {Name: "street", SHA256: strings.Repeat("01", 32)}, {Name: "street-small", SHA256: strings.Repeat("02", 32)}},
		Now:      time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC),
	}
	if o.Answers != "" {
		if in.Declared, err = transparency.ParseDeclared("declared.toml", []byte(o.Answers)); err != nil {
			return nil, err
		}
	}
	if o.Change != nil {
		o.Change(&in)
	}
	return transparency.Collect(in)
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// Replace is strings.Replace of one place that must be there.
func Replace(t testing.TB, text, old, new string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q stands %d times in the file", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, new, 1)
}
