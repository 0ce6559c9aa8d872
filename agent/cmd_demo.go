package main

import (
	"context"
	"time"

	"kerb/agent/demo"
	"kerb/agent/terminal"
)

// demoCmd is kerb demo: the whole pipeline in one process, from a built-in street or
// a clip to messages that a subscriber prints.
type demoCmd struct {
	For      time.Duration `help:"How long." default:"30s"`
	Broker   string        `help:"Publish to this broker instead of the embedded one." placeholder:"URL"`
	Scene    string        `help:"Which built-in street: calm, busy, windy, rain, dusk, night or jam." default:"busy?rate=15" names:"scenes"`
	Detector string        `help:"How objects are found: ${enum}." enum:"auto,neural,motion" default:"auto"`
	Model    string        `help:"The network, an ONNX or .kerb file, or street-large, street or street-small; empty: as auto chooses." placeholder:"F"`
	Loops    bool          `help:"Made-up inductive loops instead of a camera."`
	Busy     bool          `help:"A crowd that comes and goes, and the alert for it."`
	JSON     bool          `help:"The table as one JSON object."`
	Messages bool          `help:"Print every message as a subscriber receives it, before the table."`
	Clip     string        `arg:"" optional:"" name:"CLIP" help:"Count this clip instead of the built-in street."`
}

// Help is the long help: the demonstration has no walls.
func (d *demoCmd) Help() string {
	return `At the end there is a table: for each stream and class how many were real, counted and released, and a sentence.

A broker that is named with -broker gets messages below kerb/v1/kerb/demo/demo, with meta marking the numbers as made up; what it retains is cleared at the end.

The demonstration runs everything in one process, without the walls that kerb run builds between the process that reads pictures and the process that has a network. Its spool lies in a temporary directory, which is removed at the end.`
}

// Run hands the flags to package demo.
func (d *demoCmd) Run(ctx context.Context, t terminal.Terminal) error {
	return demo.Run(ctx, t, versionName(), demo.Opts(*d))
}
