package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/localbroker"
	"kerb/agent/logbook"
	"kerb/agent/policy"
	"kerb/agent/publisher"
	"kerb/agent/replay"
	"kerb/agent/source"
	"kerb/agent/terminal"
	"kerb/drivers/camera/scene"
)

// demoCmd is kerb demo: the whole pipeline in one process, from a built-in street or
// a clip to messages that a subscriber prints.
type demoCmd struct {
	For      time.Duration `help:"How long." default:"30s"`
	Broker   string        `help:"Publish to this broker instead of the embedded one." placeholder:"URL"`
	Scene    string        `help:"Which built-in street: calm, busy, windy, rain, dusk, night or jam." default:"busy?rate=15"`
	Detector string        `help:"How objects are found: ${enum}." enum:"auto,neural,motion" default:"auto"`
	Model    string        `help:"The network, an ONNX or .kerb file, or street or street-small; empty: as auto chooses." placeholder:"F"`
	Loops    bool          `help:"Made-up inductive loops instead of a camera."`
	Clip     string        `arg:"" optional:"" name:"CLIP" help:"Count this clip instead of the built-in street."`
}

// Help is the long help: the demonstration has no walls.
func (d *demoCmd) Help() string {
	return `A broker that is named with -broker gets messages below kerb/v1/kerb/demo/demo, with meta marking the numbers as made up; what it retains is cleared at the end.

The demonstration runs everything in one process, without the walls that kerb run builds between the process that reads pictures and the process that has a network. Its spool lies in a temporary directory, which is removed at the end.`
}

// Run subscribes at the broker, counts for the given time and prints a summary. It
// fails where no window arrived or the source gave no picture.
func (d *demoCmd) Run(ctx context.Context, t terminal.Terminal) error {
	if d.For < time.Second {
		return terminal.UsageError(fmt.Sprintf("-for %s: must be at least 1s", d.For))
	}
	state, err := os.MkdirTemp("", "kerb-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	address := d.Broker
	if address == "" {
		broker, err := localbroker.New()
		if err != nil {
			return err
		}
		defer broker.Close()
		address = broker.URL
	}
	street, err := d.openScene()
	if err != nil {
		return err
	}
	if err := d.checkSource(); err != nil {
		return err
	}
	printer := &localbroker.Printer{Out: t.Out}
	if err := printer.Subscribe(address); err != nil {
		return err
	}
	defer printer.Disconnect()
	site := &config.Site{
		Device: config.Device{Tenant: "kerb", Site: "demo", Name: "demo", State: state},
		Broker: config.Broker{URL: address},
	}
	if d.Loops {
		site.Loops = madeUpLoops()
	} else {
		c, err := d.cameraConfig(street)
		if err != nil {
			return err
		}
		site.Cameras = []config.Camera{c}
	}
	return d.countStreet(ctx, t, site, street, printer)
}

// countStreet runs the agent for the given time and prints the summary.
func (d *demoCmd) countStreet(ctx context.Context, t terminal.Terminal, site *config.Site, street *scene.Scene, p *localbroker.Printer) error {
	log := slog.New(slog.NewTextHandler(logbook.New(t.Err, time.Now), &slog.HandlerOptions{Level: slog.LevelWarn}))
	pol := policy.Demo()
	a, err := newInProcessAgent(site, pol, clock.Clock{Floor: clockFloor}, nil, log)
	if err != nil {
		return err
	}
	if street != nil {
		a.cameras[0].Open = func(context.Context) (source.Pictures, error) { return street, nil }
	}
	fmt.Fprintf(t.Err, "kerb: %s for %s, windows of %s, noise of ε %g, to %s\n", d.describeSource(), d.For, pol.Window(), pol.Epsilon(), localbroker.RedactAddress(site.Broker.URL))
	ctx, cancel := context.WithTimeout(ctx, d.For)
	defer cancel()
	if err := a.Run(ctx); err != nil {
		return err
	}
	d.printSummary(t, a, street, p)
	if d.Broker != "" {
		if err := publisher.ClearRetained(context.WithoutCancel(ctx), site, publisher.ShownStreams(site.Device.State)); err != nil {
			return err
		}
	}
	switch {
	case p.WindowCount() == 0:
		return fmt.Errorf("no window arrived from %s", localbroker.RedactAddress(site.Broker.URL))
	case len(a.cameras) > 0 && a.cameras[0].Pictures.Load() == 0:
		return fmt.Errorf("%s gave no picture", d.describeSource())
	}
	return nil
}

// printSummary prints the counts, for the street also the number of true crossings,
// and how many windows arrived.
func (d *demoCmd) printSummary(t terminal.Terminal, a *inProcessAgent, street *scene.Scene, p *localbroker.Printer) {
	defer func() {
		fmt.Fprintf(t.Err, "kerb: %d windows published, acknowledged and received; peak memory %d MB\n", p.WindowCount(), replay.PeakRSS())
	}()
	if d.Loops {
		fmt.Fprintf(t.Err, "kerb: passages %v\n", a.windows.sensors[0])
		return
	}
	s := a.cameras[0]
	fmt.Fprintf(t.Err, "kerb: %d pictures looked at and overwritten, %d crossings counted", s.Pictures.Load(), s.Crossings.Load())
	if street != nil {
		fmt.Fprintf(t.Err, " of %d real ones", trueCrossings(street, s.Config.Lines))
	}
	fmt.Fprintln(t.Err)
	if detector := s.Detector.Load(); detector != nil {
		fmt.Fprintf(t.Err, "kerb: %s\n", detector)
	}
}
