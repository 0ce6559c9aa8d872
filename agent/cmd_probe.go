package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

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
	Write string        `help:"Write a site.toml to begin with, for what is there." placeholder:"F"`
	Force bool          `help:"Let -write replace a file."`
	Edges time.Duration `help:"Wait so long for an edge of each loop line of site.toml, such as 30s." placeholder:"TIME"`
	Lamp  bool          `help:"Flash the lamp of site.toml for three seconds."`
	JSON  bool          `help:"As one JSON object."`
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
		f.Wrote = p.Write
		if _, err := os.Stat(p.Site); err != nil {
			p.Site = p.Write
		}
	}
	f.Flags = p.CommandFlags()
	site, err := config.Load(p.Site)
	if err != nil {
		f.NoSite, f.Mistaken = mistake.First(err).Error(), !errors.Is(err, fs.ErrNotExist)
		site = &config.Site{}
	}
	report.AddSite(&f, site)
	f.Cameras = report.LookAtCameras(ctx, p.Site, site, p.closedNow(site))
	if p.Edges > 0 && len(site.Loops.Lines) > 0 {
		fmt.Fprintf(t.Err, "kerb: waiting %s at most for an edge of each loop line\n", p.Edges)
		f.Lines = probe.WaitForEdges(ctx, site.Loops, p.Edges)
	}
	if p.Lamp {
		f.Lamp = tryLamp(ctx, site.Lamp)
	}
	if p.JSON {
		return json.NewEncoder(t.Out).Encode(f)
	}
	f.Print(t)
	return nil
}

// tryLamp flashes the lamp and says what came of it.
func tryLamp(ctx context.Context, c config.Lamp) string {
	if c.GPIO == "" {
		return "site.toml has no [lamp]"
	}
	if err := probe.BlinkLamp(ctx, c); err != nil {
		return err.Error()
	}
	return c.GPIO + " flashed for three seconds: did you see it?"
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
