// Package report gathers what a device tells about itself: the status of an agent,
// whether it runs or not, and the bundle that kerb report writes for support.
//
// It refuses every secret: passwords, keys, tokens, and users and queries of URLs are
// removed from all texts of a bundle; it refuses pictures and counts that no policy
// has cleared, because it reads nothing that holds them.
package report

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/publisher"
	"kerb/agent/status"
)

// FindDevice returns the table [device] of a site file. For a file that this user may
// not read, or that is not there at the place of the package, it is the package's
// device: its agent can be asked all the same.
func FindDevice(sitePath string) (config.Device, error) {
	d, err := config.LoadDevice(sitePath)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) && sitePath == config.DefaultSite {
		return d, nil
	}
	return d, err
}

// ReadStatus asks the agent of a device for its status with the last so many windows.
// Where none runs it returns what the files tell; check then returns their policy, nil
// where it cannot be read, and why an agent would not start. The error is a status.DeniedError where this user may not ask.
func ReadStatus(ctx context.Context, d config.Device, windows int, check func() (*policy.Policy, error)) (*status.Status, error) {
	c, err := status.Dial(ctx, d.State)
	if errors.Is(err, status.ErrNotRunning) {
		p, refused := check()
		stopped := status.Device{Name: d.Name, Site: d.Site, Tenant: d.Tenant, Disk: status.ReadDisk(d.State)}
		if p != nil {
			stopped.Policy = &status.Policy{Title: p.Title(), Version: int(p.Version()), Hash: p.Hash(), NoPage: !p.AllowsStatusPage()}
		}
		return status.NewStopped(stopped, publisher.ReadSpoolStatus(d, windows), refused, time.Now()), nil
	}
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Status(windows, time.Now())
}

// ReadHistory asks the agent of a device for the last 72 hours of its windows, or reads
// them in the spool where none runs. An agent whose uplink does not answer, and a device
// without a spool, have an empty history.
func ReadHistory(ctx context.Context, d config.Device) (*status.History, error) {
	c, err := status.Dial(ctx, d.State)
	if errors.Is(err, status.ErrNotRunning) {
		h, err := publisher.ReadSpoolHistory(d, time.Now())
		if errors.Is(err, fs.ErrNotExist) {
			return new(status.History), nil
		}
		return h, err
	}
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.History()
}
