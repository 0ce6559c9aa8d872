package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"kerb/agent/admission"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/publisher"
	"kerb/agent/terminal"
	"kerb/agent/uplink"
)

// load reads both files, decides whether the device takes the policy, and
// checks one file against the other. Whatever is wrong with either is reported
// at once. The policy in force may be an earlier one: see verdict.
func loadFiles(f admission.Files) (*config.Site, admission.Decision, error) {
	site, err := config.Load(f.Site)
	if err == nil {
		if err = checkModels(site); err == nil {
			err = checkLoops(site)
		}
	}
	if err != nil {
		_, perr := policy.Load(f.Policy)
		return nil, admission.Decision{}, errors.Join(err, perr)
	}
	v, err := admission.Admit(f.Policy, site)
	if err != nil {
		return nil, v, err
	}
	if cs := v.Policy.CheckSite(admission.SiteRequests(site)); len(cs) > 0 {
		return nil, v, admission.ConflictError(cs)
	}
	return site, v, nil
}

type checkCmd struct {
	admission.Files
	Connect bool `help:"Log in at the broker, too."`
	Tell    bool `help:"If something is wrong, say so to the broker in an event, too."`
	JSON    bool `help:"As one JSON object."`
}

func (c *checkCmd) Run(ctx context.Context, t terminal.Terminal) error {
	site, v, err := loadFiles(c.Files)
	if err == nil && v.Refused != nil {
		err = admission.NewRefusal(v.Refused)
	}
	if err != nil {
		if c.Tell {
			if terr := tellRefused(c.Files, ctx, err); terr != nil {
				fmt.Fprintf(t.Err, "kerb: the broker could not be told: %v\n", terr)
			} else {
				fmt.Fprintln(t.Err, "kerb: the broker was told")
			}
		}
		return err
	}
	pol := v.Policy
	if c.Connect {
		if err := connectOnce(ctx, site, pol); err != nil {
			return err
		}
	}
	if c.JSON {
		return json.NewEncoder(t.Out).Encode(map[string]any{
			"ok": true, "device": site.Device.Name, "streams": len(site.Streams()), "policy": pol.Hash(), "trust": v.Trust.Mode.String(),
		})
	}
	fmt.Fprintf(t.Out, "%s and %s fit.\n", c.Site, c.Policy)
	fmt.Fprintf(t.Out, "device  %s/%s/%s\nbroker  %s\npolicy  %s, version %d, %s\nwindow  %s, %s\ntrust   %s\n",
		site.Device.Tenant, site.Device.Site, site.Device.Name, site.Broker.URL,
		pol.Title(), pol.Version(), pol.Hash(), pol.Window(), pol.Method(), v)
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
	run := "kerb run"
	if _, err := os.Stat("/run/systemd/system"); err == nil && strings.HasPrefix(c.Site, "/etc/kerb/") {
		run = "systemctl enable --now kerb" // as root it would be another user's spool
	}
	next := "kerb check -connect, then " + run
	if c.Connect {
		next = "the broker lets this device in: " + run
	}
	_, err = fmt.Fprintln(t.Out, "next   ", next)
	return err
}

// connectOnce logs in and hangs up, with a spool that is thrown away.
func connectOnce(ctx context.Context, site *config.Site, pol *policy.Policy) error {
	dir, err := os.MkdirTemp("", "kerb-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	db, err := publisher.OpenStore(dir, pol, clk, new(atomic.Bool))
	if err != nil {
		return err
	}
	defer db.Close()
	up, err := uplink.New(publisher.UplinkOpts(site, pol, versionName(), db, clk, slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	return up.CheckConnection(ctx)
}

// ledgerLines is what each class of objects can spend at each sensor, one line for
// each: a passage may be counted by every stream that looks at the same place.
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
