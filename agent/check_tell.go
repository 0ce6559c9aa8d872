package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kerb/agent/admission"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/model"
	"kerb/agent/source"
	"kerb/agent/state"
	"kerb/agent/store"
	"kerb/agent/uplink"
)

// maxRetention is the longest retention that any policy may have: a spool that is
// opened without one loses nothing that it should keep.
const maxRetention = 7 * 24 * time.Hour

// tell says in an event what is wrong with the two files, if site.toml can be
// read as far as its broker. A device that does not count is then heard of
// where all devices are watched, and not only by who stands before it.
func tellRefused(f admission.Files, ctx context.Context, wrong error) error {
	site, err := config.LoadBroker(f.Site)
	if err != nil {
		return err
	}
	db, done, err := openNoteStore(site.Device.State)
	if err != nil {
		return err
	}
	defer done()
	d, b := site.Device, site.Broker
	up, err := uplink.New(uplink.Opts{
		Broker: b.URL, User: b.User, PasswordFile: b.PasswordFile,
		TLS:    uplink.TLS{CAFile: b.CAFile, CertFile: b.CertFile, KeyFile: b.KeyFile},
		Tenant: d.Tenant, Site: d.Site, Device: d.Name, Store: db,
	})
	if err != nil {
		return err
	}
	lines := strings.Split(wrong.Error(), "\n")
	if len(lines) > 20 {
		lines = append(lines[:20], fmt.Sprintf("and %d more", len(lines)-20))
	}
	db.AddNote("config_refused", map[string]any{"mistakes": lines, "kerb": versionName()})
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return up.SendEvents(ctx)
}

// openNoteStore opens the device's own spool, which numbers its events; where that
// cannot be had, because kerb runs or this is a desk, one that is thrown away.
func openNoteStore(stateDir string) (*store.Store, func(), error) {
	open := func(dir string) (*store.Store, error) {
		return store.Open(filepath.Join(dir, state.SpoolFile), store.KeepFor(maxRetention), store.MachineIs(store.MachineID()),
			store.StampWith(func() (string, bool) { return clock.BootID(), false }))
	}
	if _, err := os.Stat(stateDir); err == nil {
		if db, err := open(stateDir); err == nil {
			return db, func() { db.Close() }, nil
		}
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

// checkLoops lets the counter itself say what it would refuse to count with.
func checkLoops(site *config.Site) error {
	if len(site.Loops.Lanes) == 0 {
		return nil
	}
	if err := source.LoopOpts(site.Loops, nil).Validate(); err != nil {
		return site.RejectKey("loop", "cannot be counted: "+err.Error(), "mend the lane that it names")
	}
	return nil
}

// checkModels loads the network of every camera that has one. What is wrong
// with it is a mistake in the site file, which named it.
func checkModels(site *config.Site) (err error) {
	var good []string
	for i, c := range site.Cameras {
		if c.Model == "" || slices.Contains(good, c.Model) {
			continue
		}
		net, broken := model.LoadCameraNetwork(c)
		if broken != nil {
			err = site.RejectKey(fmt.Sprintf("camera[%d].model", i), "must be a network that finds street users: "+broken.Error(), "kerb model FILE tells what a file holds")
			continue
		}
		net.Close()
		good = append(good, c.Model)
	}
	return err
}
