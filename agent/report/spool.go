package report

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"kerb/agent/config"
	"kerb/agent/publisher"
	"kerb/agent/state"
	"kerb/agent/status"
	"kerb/agent/store"
	"kerb/agent/uplink"
)

// ListSpool calls f with each window in the spool of a device, oldest first, and
// returns its condition and where it was read: it asks the running agent, or else
// reads and checks the file.
func ListSpool(ctx context.Context, d config.Device, f func(status.Window) error) (spool *status.Spool, where string, err error) {
	c, err := status.Dial(ctx, d.State)
	if errors.Is(err, status.ErrNotRunning) {
		path := filepath.Join(d.State, state.SpoolFile)
		spool, err = ListSpoolFile(path, publisher.Address(d), f)
		return spool, path + ": whole", err
	}
	if err != nil {
		return nil, "", err
	}
	defer c.Close()
	if err := c.Windows(f); err != nil {
		return nil, "", err
	}
	st, err := c.Status(0, time.Now())
	if err == nil && st.Spool == nil {
		err = errors.New("the process that stores does not answer")
	}
	if err != nil {
		return nil, "", err
	}
	return st.Spool, "kerb runs", nil
}

// ListSpoolFile calls f with each window in a spool file, oldest first, and checks the
// file. The windows have the address of the device that wrote the file; other is for a
// file that names none. The error is that of a file that is damaged, or that another
// process has.
func ListSpoolFile(path string, other uplink.Address, f func(status.Window) error) (spool *status.Spool, err error) {
	err = state.ActAsOwner(filepath.Dir(path), func(dir string) (err error) {
		spool, err = listSpoolFile(filepath.Join(dir, filepath.Base(path)), other, f)
		return err
	})
	return spool, err
}

// listSpoolFile is ListSpoolFile with the rights of this thread.
func listSpoolFile(path string, other uplink.Address, f func(status.Window) error) (*status.Spool, error) {
	db, err := store.OpenReadOnly(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	address, ok := uplink.ParseAddress(db.Stats().Device)
	if !ok {
		address = other
	}
	err = db.EachWindow(func(i store.Item) error { return f(publisher.PackWindow(address, i)) })
	if err == nil {
		err = db.CheckFile()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return publisher.PackSpool(db), nil
}
