package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aead.dev/minisign"

	"kerb/agent/admission"
	"kerb/agent/config"
	centre "kerb/agent/fleet"
	"kerb/agent/policy/policytest"
	"kerb/agent/state"
	"kerb/agent/store"
	"kerb/agent/terminal"
	"kerb/agent/uplink"
	"kerb/agent/want"
)

// member is one device of a fleet that takes files from afar: a real uplink and spool,
// and the examination, trial and return of package want, as the supervisor does them.
// TestADeviceTakesTheFilesThatItsPeopleSigned in test/e2e has all processes of kerb run.
type member struct {
	t       *testing.T
	own     admission.Files
	dir     string
	store   *store.Store
	arrived chan []byte
	result  atomic.Pointer[map[string]any] // agent.config
}

// loadFiles is the part of kerb check that needs no network.
func loadFiles(f admission.Files) (*config.Site, admission.Decision, error) {
	site, err := config.LoadPart(f.Site, f.SiteTextPath())
	if err != nil {
		return nil, admission.Decision{}, err
	}
	d, err := admission.Admit(f.Policy, site)
	if err == nil {
		if cs := d.Policy.CheckSite(admission.SiteRequests(site)); len(cs) > 0 {
			err = admission.ConflictError(cs)
		}
	}
	return site, d, err
}

// run runs the device until ctx ends, as kerb run does: a new start after each change.
func (m *member) run(ctx context.Context) {
	for ctx.Err() == nil {
		l, err := want.Load(m.own, loadFiles)
		if err == nil {
			l, _, err = l.Begin(m.dir, m.own, loadFiles)
		}
		if err != nil {
			m.t.Errorf("%s: %v", m.dir, err)
			return
		}
		m.tell(l.Record)
		m.runOnce(ctx, l)
	}
}

// tell sets agent.config of the state message.
func (m *member) tell(r want.Record) {
	c := map[string]any{"site": "sha256:00", "in_force": r.Version(), "version": r.Last.Version, "outcome": r.Last.Outcome.String()}
	if r.Last.Reason != want.NoReason {
		c["reason"] = r.Last.Reason.String()
	}
	m.result.Store(&c)
}

// runOnce runs the device under these files until they change.
func (m *member) runOnce(ctx context.Context, l want.Loaded) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	d := l.Site.Device
	o := uplink.Opts{
		Broker: l.Site.Broker.URL, Tenant: d.Tenant, Site: d.Site, Device: d.Name, Store: m.store,
		RetryMin: time.Second, RetryMax: 5 * time.Second, Log: slog.New(slog.DiscardHandler),
		Birth:         uplink.Birth{Commands: l.Decision.Policy.AllowedCommands()},
		AgentReport:   func() map[string]any { return map[string]any{"config": *m.result.Load()} },
		AgentTriggers: func() string { return fmt.Sprint(*m.result.Load()) },
		OnWant: func(b []byte) {
			select {
			case <-m.arrived:
			default:
			}
			m.arrived <- b
		},
	}
	up, err := uplink.New(o)
	if err != nil {
		m.t.Errorf("%s: %v", m.dir, err)
		return
	}
	running.Go(func() { _ = up.Run(ctx) })
	r, changed := l.Record, false
	if r.OnTrial > 0 {
		if r, changed = m.endTrial(ctx, r, up); changed || ctx.Err() != nil {
			return
		}
		up.Wake()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-m.arrived:
			if r, changed = m.examine(r, b); changed {
				return
			}
			up.Wake()
		}
	}
}

// endTrial keeps the version as soon as the broker passes on what the device publishes,
// within the trial, or goes back.
func (m *member) endTrial(ctx context.Context, r want.Record, up *uplink.Uplink) (want.Record, bool) {
	for end := time.Now().Add(r.TrialTime()); !up.IsOnline(); {
		select {
		case <-ctx.Done():
			return r, false
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(end) {
			r, err := r.Revert(m.dir, want.NoDelivery, 0)
			if err != nil {
				m.t.Error(err)
			}
			return r, true
		}
	}
	r, err := r.Keep(m.dir)
	if err != nil {
		m.t.Error(err)
	}
	m.tell(r)
	return r, false
}

// examine judges a message as kerb want does. It reports whether the files change.
func (m *member) examine(r want.Record, b []byte) (want.Record, bool) {
	if err := os.WriteFile(filepath.Join(m.dir, state.WantReceived), b, 0o600); err != nil {
		m.t.Error(err)
		return r, false
	}
	v, err := want.Examine(m.own, loadFiles)
	switch {
	case err != nil:
		m.t.Errorf("%s: %v", m.dir, err)
		return r, false
	case v.Same:
		return r, false
	case v.Reason != want.NoReason:
		r, err = r.Refuse(m.dir, v)
	default:
		r, err = r.BeginTrial(m.dir, m.own, v, 1)
	}
	if err != nil {
		m.t.Error(err)
	}
	m.tell(r)
	return r, v.Reason == want.NoReason
}

// changeTemplate is the site.toml of the members.
const changeTemplate = `
[device]
tenant = "{{tenant}}"
site = "{{site}}"
name = "{{device}}"
state = "{{state}}"
[broker]
url = "BROKER"
[trust]
mode = "two-person"
keys = [KEYS]
[[camera]]
name = "north"
source = "rtsp://10.0.0.1/stream"
[[camera.line]]
id = "kerb"
classes = ["person"]
from = [0.1, 0.5]
to = [0.9, 0.5]
`

// desk is the centre: the commands of kerb fleet, and the keys of two people.
type desk struct {
	t        *testing.T
	dir      string
	keys     []string
	table    string
	template string
	broker   string
}

// command runs a command of kerb fleet.
func (d *desk) command(c interface {
	Run(context.Context, terminal.Terminal) error
},
) (string, error) {
	d.t.Helper()
	var out bytes.Buffer
	err := c.Run(d.t.Context(), terminal.Terminal{Out: &out, Err: &out})
	return out.String(), err
}

// must fails the test where a command fails.
func (d *desk) must(c interface {
	Run(context.Context, terminal.Terminal) error
},
) string {
	d.t.Helper()
	out, err := d.command(c)
	if err != nil {
		d.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// write writes a file of the centre.
func (d *desk) write(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// sign makes a folder of messages, signed by so many people.
func (d *desk) sign(version int64, policy, sites string, people int) string {
	d.t.Helper()
	dir := filepath.Join(d.dir, fmt.Sprintf("signed-%d-%d", version, people))
	c := &centre.SignCommand{Dir: dir, Key: d.keys[0], Version: version, Trial: time.Minute, Policy: policy, Sites: sites}
	if sites == "" {
		c.Rows = d.table
	}
	d.must(c)
	if people == 2 {
		d.must(&centre.SignCommand{Dir: dir, Key: d.keys[1], Add: true})
	}
	return dir
}

// send sends a folder in stages and returns the sums of the last one. wantError is what
// the command must say; "": it must not fail.
func (d *desk) send(dir, wantError string) map[string]int {
	d.t.Helper()
	began := time.Now()
	c := &centre.SendCommand{Dir: dir, Stages: []string{"1", "10%", "all"}, Wait: patience, JSON: true}
	c.Broker.Broker, c.Devices = d.broker, "+/+/+"
	if wantError != "" {
		c.Stop = devices
	}
	out, err := d.command(c)
	if err != nil {
		d.t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	sums := map[string]int{}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sums); err != nil {
		d.t.Fatal(err)
	}
	d.t.Logf("%s: %v after %s", filepath.Base(dir), sums, time.Since(began).Truncate(time.Second))
	return sums
}

// changePolicy is a policy that lets the platform want files.
func changePolicy(version int, epsilon string) string {
	return strings.NewReplacer("version = 1", fmt.Sprint("version = ", version), "epsilon = 1", "epsilon = "+epsilon).Replace(policytest.Daytime) +
		"\n[broker]\ncommands = [\"want\"]\n"
}

// A fleet takes a stricter policy in minutes; a site under which nothing arrives goes
// back everywhere by itself; a looser policy that one person signed, and an older message,
// are refused everywhere.
func TestAFleetTakesWhatItsPeopleSigned(t *testing.T) {
	n, long := 20, os.Getenv("KERB_LONG") != ""
	if long {
		n = devices
	}
	b := startBroker(t)
	d := &desk{t: t, dir: t.TempDir(), broker: b.url()}
	var trusted []string
	for i := range 2 {
		public, private, err := minisign.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := private.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		d.keys, trusted = append(d.keys, d.write(fmt.Sprint("key-", i), string(text))), append(trusted, fmt.Sprintf("%q", public.String()))
	}
	rows := "tenant,site,device,state\n"
	states := memoryDir(t)
	for i := range n {
		rows += fmt.Sprintf("tfl,junction-%d,pi-%d,%s\n", i/4, i, filepath.Join(states, fmt.Sprint(i)))
	}
	d.table = d.write("rows.csv", rows)
	text := strings.NewReplacer("BROKER", b.url(), "KEYS", strings.Join(trusted, ", ")).Replace(changeTemplate)
	d.template = d.write("site.tmpl", text)
	sites := filepath.Join(d.dir, "sites")
	d.must(&centre.SitesCommand{Template: d.template, Rows: d.table, Out: sites})
	startMembers(t, d, sites, states, n)

	if sums := d.send(d.sign(2, d.write("looser.toml", changePolicy(2, "2")), "", 1), "refuse"); sums["refused"] != n {
		t.Errorf("a looser policy that one signed: %v", sums)
	}
	stricter := d.sign(3, d.write("stricter.toml", changePolicy(2, "0.5")), "", 1)
	if sums := d.send(stricter, ""); sums["kept"] != n {
		t.Errorf("a stricter policy that one signed: %v", sums)
	}
	if !long {
		return // each trial that fails lasts a minute
	}
	wrong := filepath.Join(d.dir, "wrong")
	d.must(&centre.SitesCommand{Template: d.write("wrong.tmpl", strings.Replace(text, b.url(), "mqtt://127.0.0.1:9", 1)), Rows: d.table, Out: wrong})
	if sums := d.send(d.sign(4, "", wrong, 2), "go back"); sums["reverted"] != n {
		t.Errorf("a site under which nothing arrives: %v", sums)
	}
	older := d.sign(2, filepath.Join(d.dir, "looser.toml"), "", 2) // two people signed it, long ago
	if sums := d.send(older, "refuse"); sums["refused"] != n {
		t.Errorf("an older message: %v", sums)
	}
	check := &centre.CheckCommand{For: 5 * time.Second, JSON: true}
	check.Broker.Broker, check.Devices = d.broker, "+/+/+"
	out, err := d.command(check)
	var h centre.Health
	if jerr := json.Unmarshal([]byte(out), &h); err == nil || jerr != nil || h.Counts["files_refused"] != n || h.Sites["3"] != n || h.Online != n {
		t.Errorf("%v, %v: %d refused, %v in force, %d online", err, jerr, h.Counts["files_refused"], h.Sites, h.Online)
	}
}

// startMembers starts a device for each site file.
func startMembers(t *testing.T, d *desk, sites, states string, n int) {
	t.Helper()
	own := d.sign(1, d.write("policy.toml", changePolicy(1, "1")), "", 1)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	for i := range n {
		dir := filepath.Join(states, fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("tfl.junction-%d.pi-%d", i/4, i)
		b, err := os.ReadFile(filepath.Join(own, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := want.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		policy := filepath.Join(dir, "policy.toml")
		if err := os.WriteFile(policy, []byte(m.PolicyText), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(policy+".minisig", []byte(m.PolicySignatures[0]), 0o600); err != nil {
			t.Fatal(err)
		}
		v := &member{
			t: t, own: admission.Files{Site: filepath.Join(sites, name+".toml"), Policy: policy}, dir: dir,
			store: openStore(t, filepath.Join(dir, state.SpoolFile)), arrived: make(chan []byte, 1),
		}
		running.Go(func() { v.run(ctx) })
	}
}
