package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/mistake"
	"kerb/agent/process"
	"kerb/agent/proof"
	"kerb/agent/report"
	"kerb/agent/terminal"
)

// proveCmd is kerb prove: it tries the walls from inside, searches for marked
// pictures, checks the messages, and writes the results as a signed bundle.
type proveCmd struct {
	For  time.Duration `help:"How long the marked pictures are shown; the whole test takes about a minute." default:"10s"`
	Out  string        `help:"Where the bundle goes." default:"." type:"path" placeholder:"DIR"`
	Key  string        `help:"The minisign key that signs (its password, if it has one, in KERB_KEY_PASSWORD); without it this device's own." type:"path" placeholder:"F"`
	JSON bool          `help:"The bundle on standard output, too."`

	Challenge string `help:"A text of the reviewer's, which goes into the bundle." placeholder:"TEXT"`
	admission.Files
}

// Run writes the bundle in any case, and fails where one promise does not hold.
func (p *proveCmd) Run(ctx context.Context, t terminal.Terminal) error {
	if p.For < 3*time.Second {
		return terminal.UsageError(fmt.Sprintf("-for %s: must be at least 3s", p.For))
	}
	password := os.Getenv("KERB_KEY_PASSWORD")
	if err := proof.CheckKey(p.Key, password); err != nil { // before the work, not after it
		return err
	}
	if err := os.MkdirAll(p.Out, 0o755); err != nil {
		return fmt.Errorf("make a place for the bundle: %w", err)
	}
	start := time.Now()
	bundle := proof.Bundle{Schema: "kerb.proof/1", At: start.UTC().Truncate(time.Second), User: os.Getuid(), Faults: []string{}, Limits: proof.Limits(), Challenge: p.Challenge}
	if site, d, err := loadFiles(&p.Files); err == nil {
		bundle.Subject = report.DescribeSubject(site, d)
		bundle.Running = report.LookAtRunning(ctx, site)
	} else {
		fmt.Fprintf(t.Err, "kerb: the bundle names no device: %v\n", mistake.First(err))
	}
	var err error
	if bundle.Walls, err = process.MeasureRoles(append([]string{"free"}, process.InstalledRoles()...)...); err != nil {
		return err
	}
	bundle.JudgeWalls()
	trial, err := proof.NewTrial()
	if err != nil {
		return err
	}
	defer trial.Close()
	fmt.Fprintf(t.Err, "kerb: showing marked pictures to a kerb of its own for %s\n", p.For)
	if err := trial.Run(ctx, p.For); err != nil {
		return err
	}
	if bundle.Canary, err = trial.SearchMark(); err != nil {
		return err
	}
	if faults := bundle.Canary.ListFaults(); len(faults) > 0 {
		bundle.Faults = append(bundle.Faults, faults...)
		fmt.Fprintf(t.Err, "kerb: what the kerb of the trial said:\n%s", trial.Output.Bytes())
	}
	bundle.Wire = trial.CheckWire()
	bundle.Faults = append(bundle.Faults, bundle.Wire.Faults...)
	bundle.Faults = append(bundle.Faults, trial.CheckPipes()...)
	if bundle.Build, err = proof.ReadBuild(versionName()); err != nil {
		return err
	}
	bundle.Took = time.Since(start).Round(100 * time.Millisecond).Seconds()
	bundle.Judge()
	path, err := proof.WriteSigned(p.Out, bundle, p.Key, password, config.DefaultState)
	if err != nil {
		return err
	}
	if p.JSON {
		err = json.NewEncoder(t.Out).Encode(bundle)
	} else {
		bundle.Print(t, path)
	}
	return errors.Join(err, bundle.Err())
}
