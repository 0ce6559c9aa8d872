package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/mistake"
	"kerb/agent/policy"
	"kerb/agent/probe"
	"kerb/agent/report"
	"kerb/agent/terminal"
)

// probeCmd is kerb probe: it lists the walls, cameras, GPIO lines, clock and disk of
// this device, and may write a first site.toml.
type probeCmd struct {
	admission.Files
	Write string `help:"Write a site.toml to begin with, for what is there." placeholder:"F"`
	Force bool   `help:"Let -write replace a file."`
	JSON  bool   `help:"As one JSON object."`
}

// Run gathers the inventory and prints it. A missing or wrong site.toml is part of
// the inventory, not an error.
func (p *probeCmd) Run(ctx context.Context, t terminal.Terminal) error {
	f, err := report.TakeInventory(ctx)
	if err != nil {
		return err
	}
	if p.Write != "" {
		if err := probe.WriteSite(p.Write, p.Force, f); err != nil {
			return err
		}
		fmt.Fprintf(t.Err, "kerb: wrote %s: %d cameras were found\n", p.Write, len(f.Attached))
		if _, err := os.Stat(p.Site); err != nil {
			p.Site = p.Write
		}
	}
	site, err := config.Load(p.Site)
	if err != nil {
		f.NoSite = mistake.First(err).Error()
		site = &config.Site{}
	}
	report.AddSite(&f, site)
	f.Cameras = report.LookAtCameras(ctx, p.Site, site, p.closedNow(site))
	if p.JSON {
		return json.NewEncoder(t.Out).Encode(f)
	}
	f.Print(t)
	return nil
}

// closedNow returns whether the policy closes a camera now; nil where there is no
// policy that holds.
func (p *probeCmd) closedNow(site *config.Site) func(config.Camera) bool {
	pol, err := policy.Load(p.Policy)
	if err != nil {
		return nil
	}
	return report.ClosedNow(site, pol)
}
