package transparency

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"kerb/agent/admission"
	"kerb/agent/cage"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/proof"
	"kerb/agent/publisher"
	"kerb/agent/state"
	"kerb/counting"
)

// Inputs is what Collect needs that it does not read itself.
type Inputs struct {
	Files    admission.Files
	Site     *config.Site
	Decision admission.Decision
	Declared *Declared     // nil: no answers
	Walls    []cage.Report // of the processes of kerb run, as measured on this machine
	Proof    *proof.Bundle // nil: none was given
	ProofSum string        // SHA-256 of the bundle's file, hexadecimal
	Build    proof.BuildFacts
	Networks []publisher.Network // in the binary
	Now      time.Time
}

// Collect makes the record of a device. It reads the audit log, the spool and the
// acceptance records in the state directory; what cannot be read is told in the record.
// The error is that of a model card of another form.
func Collect(in Inputs) (*Record, error) {
	c := collector{Inputs: in, set: in.Decision.Policy.Settings()}
	r := &Record{Schema: SchemaRecord, At: in.Now.UTC().Truncate(time.Second)}
	r.Device, r.Capture, r.Processing = c.device(), c.capture(), c.processing()
	r.Output, r.Clearing, r.Policy = c.output(), c.clearing(), c.policy()
	r.Retention = Retention{
		Records: fromPolicy(c, "keep.retention", seconds(c.set.Retention)),
		// A test holds this against the store: it must change with it.
		Undelivered: byCode("no longer than one that was delivered, and shorter where the storage of 64 MiB is full; while the clock cannot be trusted, time for which the device was off does not count", "agent/store"),
		Pictures:    byCode("overwritten in memory by the next step of the same process, on errors too, and is never in a file", "counting/vision"),
	}
	r.Walls = Fact[[]RoleWalls]{c.walls(), Enforced, "measured: kerb try, " + r.At.Format(time.RFC3339)}
	r.Proof = c.proof()
	r.Build = Build{
		Version: byCode(in.Build.Version, "build information"), Binary: byCode(in.Build.Binary, "measured: SHA-256 of the running program"),
		Go: byCode(in.Build.Go, "build information"), Modules: byCode(len(in.Build.Modules), "build information"),
	}
	models, err := c.models()
	if err != nil {
		return nil, err
	}
	r.Models = byCode(models, "counting/neural/MODEL.md")
	r.Acceptance = byCode(readAcceptances(in.Site.Device.State), "measured: "+state.AcceptanceFile+", counts by hand with kerb aim")
	r.Audit, r.Policy.Since = c.audit()
	r.Held = byCode(readHeld(in.Site.Device), "measured: "+state.SpoolFile+", "+r.At.Format(time.RFC3339))
	r.Declared, r.Signers = in.Declared.facts()
	r.Warnings = byCode(collectWarnings(r), "this record")
	return r, nil
}

// collector holds the inputs and the values of the policy while a record is made.
type collector struct {
	Inputs
	set policy.Settings
}

// byCode makes an enforced fact of a package, a file or a measurement.
func byCode[T any](v T, source string) Fact[T] { return Fact[T]{v, Enforced, source} }

// fromPolicy makes the fact of a key of the policy.
func fromPolicy[T any](c collector, key string, v T) Fact[T] {
	return Fact[T]{v, Enforced, baseName(c.Decision.Policy.LocateKey(key)) + " " + key}
}

// fromSite makes the fact of a key of site.toml.
func fromSite[T any](c collector, key string, v T) Fact[T] {
	return Fact[T]{v, Enforced, baseName(c.Site.LocateKey(key)) + " " + key}
}

// baseName is file:line without the folder, which stays private.
func baseName(at string) string { return filepath.Base(at) }

func seconds(d time.Duration) int { return int(d / time.Second) }

func (c collector) device() Device {
	d := c.Site.Device
	p := Place{Description: d.Place.Description}
	if d.Place.Lat != 0 || d.Place.Lon != 0 {
		p.Lat, p.Lon = &d.Place.Lat, &d.Place.Lon
	}
	return Device{
		Tenant: fromSite(c, "device.tenant", d.Tenant), Site: fromSite(c, "device.site", d.Site), Name: fromSite(c, "device.name", d.Name),
		Code:  byCode(DeviceCode(d.Tenant, d.Site, d.Name), "computed from tenant, site and device"),
		Place: fromSite(c, "device.place", p),
	}
}

func (c collector) capture() Capture {
	sensors := byCode(c.sensors(), filepath.Base(c.Files.Site)+" camera and loop")
	return Capture{
		Sensors: sensors,
		Colour:  byCode(false, "drivers/camera: luma only"), Sound: byCode(false, "drivers: none reads sound"),
		Pixels:        fromPolicy(c, "camera.pixels", c.set.Pixels),
		MasksRequired: fromPolicy(c, "camera.masks_required", c.set.MasksRequired),
		Hours:         fromPolicy(c, "hours.open", c.set.Open), TimeZone: fromPolicy(c, "hours.timezone", c.set.TimeZone),
		AimingShows: fromPolicy(c, "aim.show", string(c.set.Show)), AimingTime: fromPolicy(c, "aim.session", seconds(c.set.Session)),
		StatusPage: fromPolicy(c, "status.page", c.set.StatusPage),
	}
}

// sensors lists cameras and lanes. A camera's address is left out: it is of no use to a
// reader, and of use to an intruder.
func (c collector) sensors() (all []Sensor) {
	for _, cam := range c.Site.Cameras {
		s := Sensor{
			Name: cam.Name, Kind: "camera", Feed: feedName(cam.Source), Masks: len(cam.Masks) + len(c.Decision.Policy.CameraMasks(cam.Name)),
			Detector: cam.Detector, Decoder: decoderName(cam.Source),
		}
		if len(cam.Hours) > 0 {
			s.Hours = fmt.Sprintf("%v (%s)", cam.Hours, c.set.TimeZone)
		}
		if cam.Model != "" {
			s.Network = "own"
			if slices.ContainsFunc(c.Networks, func(n publisher.Network) bool { return n.Name == cam.Model }) {
				s.Network = cam.Model
			}
		}
		all = append(all, s)
	}
	for _, st := range c.Site.Loops.Streams() {
		all = append(all, Sensor{Name: st.Sensor, Kind: "loop"})
	}
	return all
}

// The feeds that a warning is about.
const (
	feedScene     = "built-in street"
	feedRecording = "recording"
)

// feedName is the kind of a camera's source, without its address.
func feedName(s config.Source) string {
	switch s.(type) {
	case config.SceneSource:
		return feedScene
	case config.RecordingSource:
		return feedRecording
	case config.MJPEGSource:
		return "network camera, Motion-JPEG"
	case config.RTSPSource:
		return "network camera, RTSP"
	case config.SnapshotSource:
		return "single pictures from a network address"
	case config.DeviceSource, config.CSISource:
		return "camera at this device"
	}
	return "program"
}

// decoderName names the program outside kerb's that decodes a source's pictures. H.264
// and JPEG are decoded by kerb itself.
func decoderName(s config.Source) string {
	if r, ok := s.(config.RTSPSource); ok && r.FFmpeg {
		return "ffmpeg"
	}
	return ""
}

func (c collector) processing() Processing {
	return Processing{
		Pictures:   byCode("reduced to brightness, looked at in memory, overwritten by the next step; no type of the program holds one outside that step", "counting/vision, test/arch"),
		Follow:     fromPolicy(c, "camera.follow_max", seconds(c.set.FollowMax)),
		Appearance: byCode(false, "counting/vision: objects are followed by position and size alone"),
		Learning:   byCode(false, "counting/neural: weights are constants of the program"),
		Exact:      byCode("in memory until they are cleared, which is at the end of a window, or later while numbers cannot be stored; never in a file", "agent/policy, agent/store"),
	}
}

// messages says what leaves the device, topic by topic.
func (c collector) messages() []string {
	all := []string{
		"count and backfill: the cleared numbers of one window", "state: health of device and sensors, walls, head of the audit log",
		"meta: streams, place, window, policy, detectors, coarse results of counts by hand", "event: faults, clock steps, aiming sessions",
		"ack: answers to commands",
	}
	if c.Decision.Policy.KeepsNow() {
		all = append(all, "now: the last cleared numbers of each stream, kept by the broker until the next ones")
	}
	for _, a := range c.set.Alerts {
		all = append(all, fmt.Sprintf("event busy: %s, %s: begins with the band from %d on, ends below %d, each after %s; made from cleared bands alone", a.Stream, a.Class, a.Raise, a.Clear, a.For))
	}
	return all
}

func (c collector) output() Output {
	o := Output{
		Allowed: fromPolicy(c, "count.classes", c.set.Classes), Kinds: fromPolicy(c, "count.streams", c.set.Streams),
		Commands: fromPolicy(c, "broker.commands", nonNil(c.set.Commands)),
		Messages: byCode(c.messages(), "agent/uplink, kerb schema"),
	}
	var streams []Stream
	var classes, measured []string
	for _, s := range c.Site.Streams() {
		v := Stream{ID: s.ID, Kind: s.Kind.String(), Sensor: s.Sensor}
		for _, class := range s.Classes {
			v.Classes = append(v.Classes, class.String())
		}
		for _, q := range counting.AllQuantities() {
			if c.Decision.Policy.AllowedQuantities(s.Measures).Has(q) {
				v.Quantities = append(v.Quantities, q.String())
			}
		}
		streams = append(streams, v)
		measured = append(measured, v.Quantities...)
		classes = append(classes, v.Classes...)
	}
	// In the order of the wire, each once.
	var counted []string
	for _, name := range c.set.Classes {
		if slices.Contains(classes, name) {
			counted = append(counted, name)
		}
	}
	quantities := []string{}
	for _, name := range c.set.Quantities {
		if slices.Contains(measured, name) {
			quantities = append(quantities, name)
		}
	}
	file := filepath.Base(c.Files.Site)
	o.Quantities = byCode(quantities, file+" and policy.toml count.quantities")
	o.Streams, o.Classes = byCode(streams, file+" line, zone and lane"), byCode(counted, file+" classes")
	if u, err := url.Parse(c.Site.Broker.URL); err == nil {
		o.Recipient = fromSite(c, "broker.url", u.Hostname())
		o.Encrypted = fromSite(c, "broker.url", u.Scheme == "mqtts" || u.Scheme == "wss")
	}
	return o
}

func (c collector) clearing() Clearing {
	p := c.Decision.Policy
	var ledger []Charge
	for _, charge := range p.SensorCharges(admission.SiteRequests(c.Site).Streams) {
		l := Charge{Sensor: charge.Sensor, Class: charge.Class.String(), Streams: charge.Streams, Epsilon: charge.Epsilon, Limit: float64(charge.Limit)}
		if p.Method() == policy.Noise {
			l.Limit *= p.Epsilon()
		}
		ledger = append(ledger, l)
	}
	return Clearing{
		Window: fromPolicy(c, "clear.window", seconds(c.set.Window)), Method: fromPolicy(c, "clear.method", string(c.set.Method)),
		Epsilon: fromPolicy(c, "clear.epsilon", c.set.Epsilon), Below: fromPolicy(c, "clear.below", c.set.Below),
		Round: fromPolicy(c, "clear.round", c.set.Round), Totals: fromPolicy(c, "clear.totals", c.set.Totals),
		Bands: fromPolicy(c, "clear.bands", nonNil(c.set.Bands)), Overlap: fromPolicy(c, "clear.overlap", c.set.Overlap),
		Belief: byCode(p.Belief(1), "computed from clear.epsilon: e^ε / (1 + e^ε)"),
		Ledger: byCode(ledger, "computed from policy and site, as kerb check prints it"),
	}
}

func (c collector) policy() Policy {
	p := c.Decision.Policy
	return Policy{
		Title: fromPolicy(c, "title", p.Title()), Version: fromPolicy(c, "version", p.Version()),
		Hash: byCode(p.Hash(), "computed: SHA-256 of the canonical form"), Purpose: fromPolicy(c, "purpose", string(p.Purpose())),
		Controller: fromPolicy(c, "controller.name", p.Controller()), Contact: fromPolicy(c, "controller.contact", p.Contact()),
		Trust:     fromSite(c, "trust.mode", c.Decision.Trust.Mode.String()),
		Signers:   byCode(nonNil(c.Decision.SignerIDs()), "verified: signatures beside the policy, by keys in site.toml"),
		Canonical: byCode(string(p.Canonical()), "kerb explain -canonical"),
	}
}

func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (c collector) walls() (all []RoleWalls) {
	for _, r := range c.Walls {
		w := RoleWalls{Role: r.Role, Kernel: r.Kernel}
		for _, wall := range r.Walls {
			switch {
			case wall.Holds:
				w.Hold++
			case wall.Reason != "":
				w.May = append(w.May, wall.Name+" ("+wall.Reason+")")
			default:
				w.Open = append(w.Open, wall.Name)
			}
		}
		all = append(all, w)
	}
	return all
}

func (c collector) proof() Fact[Proof] {
	b := c.Inputs.Proof
	if b == nil {
		return byCode(Proof{}, "none was given: kerb prove, then kerb record -proof kerb-proof.json")
	}
	p := Proof{OK: b.OK, At: b.At.Format(time.RFC3339), Pictures: b.Canary.Pictures, Faults: b.Faults, SHA256: c.ProofSum}
	for _, place := range b.Canary.Places {
		if len(place.Found) == 0 && place.Refused == "" {
			p.Places++
		}
	}
	return byCode(p, "measured: kerb prove, "+p.At)
}

// models lists the networks that may find objects here, with their errors.
func (c collector) models() ([]Model, error) {
	card, err := ReadModelCard()
	if err != nil {
		return nil, err
	}
	var all []Model
	add := func(m Model) {
		if !slices.ContainsFunc(all, func(x Model) bool { return x.Name == m.Name }) {
			all = append(all, m)
		}
	}
	for _, s := range c.sensors() {
		switch {
		case s.Kind != "camera":
		case s.Detector == config.MotionDetector:
			add(Model{Name: "motion", Note: "no network: moving areas of the picture, told apart by size"})
		case s.Network == "own":
			add(Model{Name: "own", Note: "a network of the operator: kerb has no measurement of its errors"})
		default:
			for _, m := range card {
				if s.Network == "" || s.Network == m.Name {
					add(c.withSum(m))
				}
			}
			if s.Network == "" {
				add(Model{Name: "motion", Note: "no network: used beside one, and alone where the device is too slow for one"})
			}
		}
	}
	return all, nil
}

// withSum adds the hash of the network's file in this binary.
func (c collector) withSum(m Model) Model {
	for _, n := range c.Networks {
		if n.Name == m.Name {
			m.SHA256 = n.SHA256
		}
	}
	return m
}

// facts returns every key of declared.toml as a fact, and the signers. A key without an
// answer is NotProvided.
func (d *Declared) facts() (map[string]Fact[any], Fact[[]string]) {
	all := map[string]Fact[any]{}
	for _, q := range Questions() {
		f := Fact[any]{Value: NotProvided, Origin: Stated, Source: "declared.toml " + q.Key}
		if d != nil {
			if a, ok := d.answers[q.Key]; ok {
				f.Value, f.Source = a, baseName(d.sheet.Locate(q.Key))+" "+q.Key
			}
		}
		all[q.Key] = f
	}
	signers := []string{}
	if d != nil && d.signers != nil {
		signers = d.signers
	}
	return all, byCode(signers, "verified: the signature beside declared.toml, by keys in site.toml")
}
