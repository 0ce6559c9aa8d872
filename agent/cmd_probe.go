package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/hardware"
	"kerb/agent/mistake"
	"kerb/agent/probe"
	"kerb/agent/process"
	"kerb/agent/terminal"
	"kerb/drivers/board"
)

// probeCmd is kerb probe: it lists the walls, cameras, GPIO lines, clock and disk of
// this device, and may write a first site.toml.
type probeCmd struct {
	Site  string `help:"Look at what this site needs." default:"/etc/kerb/site.toml" placeholder:"F"`
	Write string `help:"Write a site.toml to begin with, for what is there." placeholder:"F"`
	Force bool   `help:"Let -write replace a file."`
	JSON  bool   `help:"As one JSON object."`
}

// Run gathers the inventory and prints it. A missing or wrong site.toml is part of
// the inventory, not an error.
func (p *probeCmd) Run(ctx context.Context, t terminal.Terminal) error {
	f := probe.Inventory{Machine: runtime.GOARCH, Model: board.ReadModel(), Cores: runtime.NumCPU(), Devices: []string{}}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		f.Memory = uint64(info.Totalram) * uint64(info.Unit)
	}
	reports, err := process.MeasureRoles("sense", "uplink", "supervisor")
	if err != nil {
		return err
	}
	for _, r := range reports {
		f.Walls = append(f.Walls, probe.SummariseWalls(r))
	}
	for _, pattern := range []string{"/dev/video*", "/dev/gpiochip*"} {
		devices, _ := filepath.Glob(pattern) // the pattern is right
		f.Devices = append(f.Devices, devices...)
	}
	f.Attached, f.GPIO = probe.FindCameras(ctx), probe.ListChips()
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
	r := clock.Clock{Floor: site.Device.ClockFloor}.ReadAll()
	f.Clock = probe.ClockFacts{Wall: r.Wall, Synced: r.Synced, Source: r.Source}
	for _, c := range site.Cameras {
		f.Cameras = append(f.Cameras, probe.DialCamera(ctx, c))
	}
	f.Board = hardware.DescribeBoard(hardware.ReadBoard(cmp.Or(site.Device.State, config.DefaultState)))
	if site.Device.State != "" {
		f.Disk = probe.MeasureDisk(site.Device.State)
	}
	if p.JSON {
		return json.NewEncoder(t.Out).Encode(f)
	}
	f.Print(t)
	return nil
}
