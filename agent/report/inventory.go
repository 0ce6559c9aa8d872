package report

import (
	"cmp"
	"context"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/hardware"
	"kerb/agent/probe"
	"kerb/agent/process"
	"kerb/drivers/board"
)

// TakeInventory lists the parts of this device, independent of site.toml: machine, memory,
// the walls as they are measured, devices, attached cameras, GPIO lines. The error is
// that of a process whose walls could not be measured.
func TakeInventory(ctx context.Context) (probe.Inventory, error) {
	f := probe.Inventory{Machine: runtime.GOARCH, Model: board.ReadModel(), Cores: runtime.NumCPU(), Devices: []string{}}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		f.Memory = uint64(info.Totalram) * uint64(info.Unit)
	}
	reports, err := process.MeasureRoles(process.InstalledRoles()...)
	if err != nil {
		return f, err
	}
	for _, r := range reports {
		f.Walls = append(f.Walls, probe.SummariseWalls(r))
	}
	for _, pattern := range []string{"/dev/video*", "/dev/gpiochip*"} {
		devices, _ := filepath.Glob(pattern) // the pattern is right
		f.Devices = append(f.Devices, devices...)
	}
	f.Denied = probe.ListDenied(f.Devices)
	f.Attached, f.GPIO = probe.FindCameras(ctx), probe.ListChips()
	return f, nil
}

// AddSite adds what a site needs of this device: its clock, board and disk. A zero
// site has no disk.
func AddSite(f *probe.Inventory, site *config.Site) {
	r := clock.Clock{Floor: site.Device.ClockFloor}.ReadAll()
	f.Clock = probe.ClockFacts{Wall: r.Wall, Synced: r.Synced, Source: r.Source}
	f.Board = hardware.DescribeBoard(hardware.ReadBoard(cmp.Or(site.Device.State, config.DefaultState)))
	if site.Device.State != "" {
		f.Disk = probe.MeasureDisk(site.Device.State)
	}
}
