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
	"kerb/agent/clock"
	"kerb/agent/enrol"
	"kerb/agent/state"
	"kerb/agent/terminal"
)

// enrolCmd is kerb enrol: it gets the device's certificate, and renews it.
type enrolCmd struct {
	admission.Files
	JSON bool `help:"As one JSON object."`
}

// Help is the long help: when it is done by itself.
func (enrolCmd) Help() string {
	return `The table [enrol] of site.toml names an EST server (RFC 7030) and the file with this device's one-time secret. kerb run does the same by itself, at its start and once an hour: it enrols where there is no certificate, and renews it with a new key when two thirds of its life are over. The broker gets the new one at the next connection. An offline server changes nothing: state tells when the certificate ends.`
}

// Run enrols or renews where that is due, and removes the secret after its use.
func (e *enrolCmd) Run(ctx context.Context, t terminal.Terminal) error {
	site, _, err := loadFiles(&e.Files)
	if err != nil {
		return err
	}
	c := site.Enrol
	if c.Server == nil {
		return terminal.UsageError(e.Site + " has no table [enrol]")
	}
	if err := state.RefuseRoot(site.Device.State, "kerb enrol"); err != nil {
		return err
	}
	if err := os.MkdirAll(site.Device.State, 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	now := clock.Clock{Floor: site.Device.ClockFloor}.ReadAll()
	r, err := enrol.Run(ctx, enrol.Opts{
		Server: c.Server, CAFile: c.CAFile, SecretFile: c.SecretFile, User: c.User, Name: site.Device.Name,
		File: site.Broker.CertFile, Floor: site.Device.ClockFloor, Synced: now.Synced, Now: now.Wall,
	})
	if err != nil {
		return err
	}
	if r.Done == "enrolled" && c.SecretFile != "" {
		if rerr := os.Remove(c.SecretFile); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			fmt.Fprintf(t.Err, "kerb: the one-time secret is used and stays: %v\n", rerr)
		}
	}
	if e.JSON {
		return json.NewEncoder(t.Out).Encode(r)
	}
	_, err = fmt.Fprintf(t.Out, "%s: the certificate is good until %s, and is renewed from %s on\n", r.Done, r.Ends.UTC().Format(time.RFC3339), r.Due.UTC().Format(time.RFC3339))
	return err
}
