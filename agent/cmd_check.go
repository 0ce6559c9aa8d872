package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/probe"
	"kerb/agent/publisher"
	"kerb/agent/report"
	"kerb/agent/terminal"
)

// checkCmd is kerb check: it validates both files and prints a summary of them.
type checkCmd struct {
	admission.Files
	Connect bool `help:"Log in at the broker and take a picture from each camera, too."`
	Tell    bool `help:"If something is wrong, say so to the broker in an event, too."`
	JSON    bool `help:"As one JSON object."`
}

// Run fails where a file is wrong or the policy is refused, and with -tell also
// reports that to the broker.
func (c *checkCmd) Run(ctx context.Context, t terminal.Terminal) error {
	site, d, err := loadFiles(c.Files)
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
	var cameras []probe.CameraFacts
	if c.Connect {
		cameras = report.LookAtCameras(ctx, c.Site, site, report.ClosedNow(site, d.Policy))
		if err := errors.Join(publisher.CheckConnection(ctx, site, d.Policy, versionName()), probe.Failures(cameras)); err != nil {
			return err
		}
	}
	if c.JSON {
		return json.NewEncoder(t.Out).Encode(map[string]any{
			"ok": true, "cameras": cameras, "device": site.Device.Name, "streams": len(site.Streams()), "policy": d.Policy.Hash(), "trust": d.Trust.Mode.String(),
		})
	}
	c.printFiles(t, site, d)
	for _, f := range cameras {
		fmt.Fprintf(t.Out, "picture %s: %s\n", f.Name, f.Describe())
	}
	run := "kerb run"
	if _, err := os.Stat("/run/systemd/system"); err == nil && strings.HasPrefix(c.Site, "/etc/kerb/") {
		run = "systemctl enable --now kerb" // kerb run as root would leave a spool that the service's user cannot open
	}
	next := "kerb check -connect, then " + run
	if c.Connect {
		next = "the broker lets this device in, and the cameras deliver: " + run
	}
	_, err = fmt.Fprintln(t.Out, "next   ", next)
	return err
}

// printFiles prints device, broker, policy, trust, cameras, streams and the charges
// of the sensors.
func (c *checkCmd) printFiles(t terminal.Terminal, site *config.Site, d admission.Decision) {
	pol := d.Policy
	fmt.Fprintf(t.Out, "%s and %s fit.\n", c.Site, c.Policy)
	fmt.Fprintf(t.Out, "device  %s/%s/%s\nbroker  %s\npolicy  %s, version %d, %s\nwindow  %s, %s\ntrust   %s\n",
		site.Device.Tenant, site.Device.Site, site.Device.Name, site.Broker.URL,
		pol.Title(), pol.Version(), pol.Hash(), pol.Window(), pol.Method(), d)
	for _, cam := range site.Cameras {
		with := ""
		if cam.Model != "" {
			with = " with " + cam.Model
		}
		if polled, ok := cam.Source.(config.SnapshotSource); ok {
			with += fmt.Sprintf(", one picture every %s", polled.PollEvery)
		}
		if len(cam.Hours) > 0 {
			with += fmt.Sprintf(", open %v (%s)", cam.Hours, pol.TimeZone())
		}
		fmt.Fprintf(t.Out, "camera  %s: %s%s\n", cam.Name, cam.Detector, with)
	}
	for _, st := range site.Streams() {
		fmt.Fprintf(t.Out, "stream  %-20s %-5s of %s: %v\n", st.ID, st.Kind, st.Sensor, st.Classes)
	}
	for _, line := range ledgerLines(pol, admission.SiteRequests(site)) {
		fmt.Fprintln(t.Out, line)
	}
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
