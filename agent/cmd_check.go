package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/filecheck"
	"kerb/agent/mistake"
	"kerb/agent/policy"
	"kerb/agent/probe"
	"kerb/agent/publisher"
	"kerb/agent/report"
	"kerb/agent/terminal"
	"kerb/counting"
)

// checkCmd is kerb check: it validates both files and prints a summary of them.
type checkCmd struct {
	admission.Files
	Connect bool `help:"Log in at the broker and take a picture from each camera, too."`
	Tell    bool `help:"If something is wrong, say so to the broker in an event, too."`
	JSON    bool `help:"As one JSON object."`
}

// Help is the long help: the keys of -json.
func (c *checkCmd) Help() string {
	return `Where -site names a folder, each file in it that ends with .toml is checked as the site file of another machine, which is new: all but the files that it names, and whether two files name one device. kerb fleet sites makes such a folder.

With -json there is one object in any case. ok says whether all is well; mistakes lists what is not, each with want and, where there are such, file, line, key, value and hint; reason is a word for them: mistakes, forbidden (by the policy) or policy_refused; placeholders lists addresses left over from the example. Without mistakes there are device, streams, policy, trust and fingerprint, wanted where the files are those that the platform wants (topic want), and with -connect cameras. For a folder there are files and wrong, the numbers of files, and the first hundred mistakes.`
}

// Run fails where a file is wrong or the policy is refused, and with -tell also
// reports that to the broker.
func (c *checkCmd) Run(ctx context.Context, t terminal.Terminal) error {
	r := checkResult{}
	check := c.check
	if info, err := os.Stat(c.Site); err == nil && info.IsDir() {
		check = c.checkFolder
	}
	err := check(ctx, t, &r)
	if c.JSON {
		r.OK, r.Mistakes, r.Reason = err == nil, admission.ListMistakes(err), admission.ReasonWord(err)
		return errors.Join(err, json.NewEncoder(t.Out).Encode(r))
	}
	return err
}

// checkResult is the object of -json.
type checkResult struct {
	OK           bool                `json:"ok"`
	Mistakes     mistake.List        `json:"mistakes,omitempty"`
	Reason       string              `json:"reason,omitempty"`
	Placeholders mistake.List        `json:"placeholders,omitempty"`
	Cameras      []probe.CameraFacts `json:"cameras,omitempty"`
	Device       string              `json:"device,omitempty"`
	Streams      int                 `json:"streams,omitempty"`
	Policy       string              `json:"policy,omitempty"` // its hash
	Trust        string              `json:"trust,omitempty"`
	Wanted       bool                `json:"wanted,omitempty"`      // the files are those that the platform wants
	Fingerprint  string              `json:"fingerprint,omitempty"` // of both files; see admission.Files
	Files        int                 `json:"files,omitempty"`       // of a folder
	Wrong        int                 `json:"wrong,omitempty"`       // of these
}

// checkFolder checks the site files of a folder and fills r.
func (c *checkCmd) checkFolder(ctx context.Context, t terminal.Terminal, r *checkResult) error {
	if c.Connect || c.Tell {
		return terminal.UsageError("-connect and -tell are for the device itself: -site must be a file")
	}
	f, err := filecheck.CheckFolder(ctx, c.Site, c.Policy)
	if err != nil {
		return err
	}
	if r.Files, r.Wrong = f.Files, f.Wrong; f.Wrong > 0 || c.JSON {
		return f.Err()
	}
	_, err = fmt.Fprintf(t.Out, "%d site files in %s and %s fit.\nnext    kerb fleet sign\n", f.Files, c.Site, c.Policy)
	return err
}

// check does the work of Run and fills r. It prints the summary, but not with -json.
func (c *checkCmd) check(ctx context.Context, t terminal.Terminal, r *checkResult) error {
	own := c.Files
	site, d, err := loadFiles(&c.Files)
	r.Wanted = c.Files != own
	if err == nil && d.Refused != nil {
		err = admission.NewRefusal(d.Refused)
	}
	if err != nil {
		if c.Tell {
			if terr := report.SendRefused(ctx, c.Site, err, versionName()); terr != nil {
				fmt.Fprintf(t.Err, "kerb: the broker could not be told: %v\n", terr)
			} else {
				fmt.Fprintln(t.Err, "kerb: the broker was told")
			}
		}
		return err
	}
	for _, path := range site.ExposedSecrets() {
		fmt.Fprintf(t.Err, "kerb: every user of this machine may read a secret: chmod 0640 %s\n", path)
	}
	r.Device, r.Streams, r.Policy, r.Trust = site.Device.Name, len(site.Streams()), d.Policy.Hash(), d.Trust.Mode.String()
	r.Placeholders = site.Placeholders()
	if r.Fingerprint, err = c.ReadFingerprint(d); err != nil {
		return err
	}
	if c.Connect {
		r.Cameras = report.LookAtCameras(ctx, c.Site, site, report.ClosedNow(site, d.Policy))
		if err := errors.Join(publisher.CheckConnection(ctx, site, d.Policy, versionName()), probe.Failures(r.Cameras)); err != nil {
			return err
		}
	}
	if c.JSON {
		return nil
	}
	c.printFiles(t, site, d)
	for _, f := range r.Cameras {
		fmt.Fprintf(t.Out, "picture %s: %s\n", f.Name, f.Describe())
	}
	return c.printNext(ctx, t, own, site.Device.State, r.Placeholders)
}

// printNext prints the next step: to mend placeholders, to try broker and cameras, to start
// the agent, or to let a running one, whose state directory it is, take changed files. own are
// the files as the command line named them.
func (c *checkCmd) printNext(ctx context.Context, t terminal.Terminal, own admission.Files, state string, placeholders mistake.List) error {
	flags, asService := own.CommandFlags(), false
	if _, err := os.Stat("/run/systemd/system"); err == nil && strings.HasPrefix(own.Site, "/etc/kerb/") {
		asService = true // kerb run as root would leave a spool that the service's user cannot open
	}
	run := "kerb run" + flags
	if asService {
		run = "systemctl enable --now kerb"
	}
	next := "kerb check -connect" + flags + ", then " + run
	pid, running := report.FindAgent(ctx, state)
	reload := fmt.Sprintf("kill -HUP %d", pid)
	if asService || pid == 0 {
		reload = "systemctl reload kerb"
	}
	switch {
	case running && len(placeholders) == 0:
		next = reload + " lets the running kerb take changed files; kerb status" + flags
	case len(placeholders) > 0:
		for line := range strings.Lines(placeholders.Error()) {
			fmt.Fprintf(t.Out, "mend    %s\n", strings.TrimSuffix(line, "\n"))
		}
		next = "put your own addresses into " + c.Site + ", then kerb check -connect" + flags
	case c.Connect:
		next = "the broker lets this device in, and the cameras deliver: " + run
	}
	_, err := fmt.Fprintln(t.Out, "next   ", next)
	return err
}

// printFiles prints device, broker, policy, trust, cameras, streams and the charges
// of the sensors.
func (c *checkCmd) printFiles(t terminal.Terminal, site *config.Site, d admission.Decision) {
	pol := d.Policy
	fmt.Fprintf(t.Out, "%s and %s fit.\n", c.SiteTextPath(), c.Policy)
	fmt.Fprintf(t.Out, "device  %s/%s/%s\nbroker  %s\npolicy  %s, version %d, %s\nwindow  %s, %s\ntrust   %s\n",
		site.Device.Tenant, site.Device.Site, site.Device.Name, site.Broker.URL,
		pol.Title(), pol.Version(), pol.Hash(), formatSpan(pol.Window()), pol.Method(), d)
	for _, s := range pol.IdleStretches() {
		fmt.Fprintf(t.Out, "hours   no whole window lies in %s: they are counted, and all that leaves is gaps\n", describeIdle(s))
	}
	for _, cam := range site.Cameras {
		with := ""
		if cam.Model != "" {
			with = " with " + cam.Model
		}
		if polled, ok := cam.Source.(config.SnapshotSource); ok {
			with += ", one picture every " + formatSpan(polled.PollEvery)
		}
		if len(cam.Hours) > 0 {
			with += fmt.Sprintf(", open %v (%s)", cam.Hours, pol.TimeZone())
		}
		fmt.Fprintf(t.Out, "camera  %s: %s%s\n", cam.Name, cam.Detector, with)
	}
	for _, st := range site.Streams() {
		fmt.Fprintf(t.Out, "stream  %-20s %-5s of %s: %s%s\n", st.ID, st.Kind, st.Sensor, joinClasses(st.Classes), tellQuantities(pol, st))
	}
	for _, line := range ledgerLines(pol, admission.SiteRequests(site)) {
		fmt.Fprintln(t.Out, line)
	}
	for _, names := range site.SharedHosts() {
		fmt.Fprintf(t.Out, "ledger  %s: cameras of one host; if they are streams of one camera, leave all but one out: it is charged for each\n", strings.Join(names, ", "))
	}
}

// describeIdle writes an idle stretch, such as Sat 08:30-09:15 while the clocks there show UTC+2.
func describeIdle(s policy.IdleStretch) string {
	var names []string
	for _, o := range s.Open {
		names = append(names, o.String())
	}
	text := strings.Join(names, ", ")
	if s.Clocks != "" {
		text += " while the clocks there show " + s.Clocks
	}
	return text
}

// formatSpan writes a duration as the two files do, such as 15m or 1h30m.
func formatSpan(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// tellQuantities names what leaves of a stream besides its counts, after a semicolon; "" for
// counts alone.
func tellQuantities(pol *policy.Policy, st counting.Stream) string {
	var names []string
	for _, q := range counting.AllQuantities() {
		if pol.AllowedQuantities(st.Measures).Has(q) {
			names = append(names, q.String())
		}
	}
	if len(names) == 0 {
		return ""
	}
	text := "; besides: " + strings.Join(names, ", ")
	if st.SpeedError > 0 {
		text += fmt.Sprintf(" (one speed is wrong by %.0f %%)", 100*st.SpeedError)
	}
	return text
}

// joinClasses lists classes with commas.
func joinClasses(cs []counting.Class) string {
	var names []string
	for _, c := range cs {
		names = append(names, c.String())
	}
	return strings.Join(names, ", ")
}

// ledgerLines lists the charge of each class at each sensor, one line each. One
// passage may be counted by several streams of a sensor, and each of them spends
// privacy budget (ε) on it; without noise the line counts the streams.
func ledgerLines(p *policy.Policy, site policy.Site) (lines []string) {
	for _, c := range p.SensorCharges(site.Streams) {
		spent := fmt.Sprintf("%d of at most %d streams", len(c.Streams), c.Limit)
		if p.Method() == policy.Noise {
			spent = fmt.Sprintf("ε %.4g of at most %.4g", c.Epsilon, p.Epsilon()*float64(c.Limit))
		}
		lines = append(lines, fmt.Sprintf("ledger  %-20s %-11s %s: %s", c.Sensor, c.Class, spent, strings.Join(c.Streams, ", ")))
	}
	return lines
}
