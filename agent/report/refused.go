package report

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/publisher"
	"kerb/agent/state"
	"kerb/agent/store"
	"kerb/agent/uplink"
)

const (
	// maxRetention is the longest retention that a policy may ask for. A spool that
	// is opened with it drops no window that its policy still keeps.
	maxRetention = 7 * 24 * time.Hour
	// reportTimeout bounds the attempt to deliver the event; chosen by hand.
	reportTimeout = 30 * time.Second
	// maxReportLines is the number of lines of an error that the event holds, so
	// that the event stays small; chosen by hand.
	maxReportLines = 20
)

// SendRefused sends the event config_refused with the lines of the error refused to
// the broker. version is the program's. It needs only the device and the broker of site.toml, so that it
// works although the rest of the file is wrong: the platform then sees the mistake
// of a device that does not count.
func SendRefused(ctx context.Context, sitePath string, refused error, version string) error {
	site, err := config.LoadBroker(sitePath)
	if err != nil {
		return err
	}
	db, closeStore, err := openEventStore(site.Device.State)
	if err != nil {
		return err
	}
	defer closeStore()
	up, err := uplink.New(publisher.ConnectionOpts(site, db))
	if err != nil {
		return err
	}
	lines := strings.Split(refused.Error(), "\n")
	if len(lines) > maxReportLines {
		lines = append(lines[:maxReportLines], fmt.Sprintf("and %d more", len(lines)-maxReportLines))
	}
	db.AddNote("config_refused", map[string]any{"mistakes": lines, "kerb": version})
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	return up.SendEvents(ctx)
}

// openEventStore opens the device's own spool, which numbers its events. Where that
// fails, because kerb run holds it or the device has none, it opens an empty spool
// in a temporary directory, which the returned function removes.
func openEventStore(stateDir string) (*store.Store, func(), error) {
	open := func(dir string) (*store.Store, error) {
		return store.Open(filepath.Join(dir, state.SpoolFile), store.Sealed(), store.KeepFor(maxRetention), store.MachineIs(store.MachineID()),
			store.StampWith(func() (string, bool) { return clock.BootID(), false }))
	}
	if db, closeStore := openAsOwner(stateDir, open); db != nil {
		return db, closeStore, nil
	}
	dir, err := os.MkdirTemp("", "kerb-tell-")
	if err != nil {
		return nil, nil, err
	}
	db, err := open(dir)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return db, func() { db.Close(); os.RemoveAll(dir) }, nil
}

// openAsOwner opens the spool in a state directory with the rights of its owner; nil
// where it cannot be opened.
func openAsOwner(stateDir string, open func(dir string) (*store.Store, error)) (db *store.Store, closeStore func()) {
	owner, err := state.OpenOwner(stateDir)
	if err != nil {
		return nil, nil
	}
	err = owner.Do(func(dir string) (err error) {
		if _, err := os.Stat(dir); err != nil {
			return err
		}
		db, err = open(dir)
		return err
	})
	if err != nil {
		owner.Close()
		return nil, nil
	}
	return db, func() {
		_ = owner.Do(func(string) error { return db.Close() })
		owner.Close()
	}
}
