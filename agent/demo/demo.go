// Package demo runs the whole pipeline in one process, from a built-in street or a
// clip to messages that a subscriber prints: kerb demo.
//
// It is the one room beside package main that reaches both pictures and the network,
// as it has none of the walls of kerb run; test/arch says so. No other command uses it.
package demo

import (
	"context"
	"encoding/json"
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

// Opts are the flags of kerb demo.
type Opts struct {
	For      time.Duration // at least 1 s
	Broker   string        // its URL; empty: a broker inside this process
	Scene    string        // a name of the built-in street; see source.OpenScene
	Detector string        // auto, neural or motion
	Model    string        // a network's file or name; empty: as auto chooses
	Loops    bool          // made-up inductive loops instead of a camera
	Busy     bool          // a crowd that comes and goes, and the alert for it
	JSON     bool          // the table as one JSON object
	Messages bool          // every message as it is received, before the table
	Clip     string        // a clip's file instead of the street; empty: the street
}

// A demonstration is one run of kerb demo.
type demonstration struct {
	Opts
	version string // of this binary, for the messages
	ledger  *ledger
}

// Run subscribes at the broker, counts for the given time and prints a summary. It
// fails where no window arrived or the source gave no picture.
func Run(ctx context.Context, t terminal.Terminal, version string, o Opts) error {
	d := &demonstration{Opts: o, version: version}
	if d.For < time.Second {
		return terminal.UsageError(fmt.Sprintf("-for %s: must be at least 1s", d.For))
	}
	if err := d.checkBusy(); err != nil {
		return err
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
	site := &config.Site{
		Device: config.Device{Tenant: "kerb", Site: "demo", Name: "demo", State: state},
		Broker: config.Broker{URL: address},
	}
	switch {
	case d.Loops:
		site.Loops = madeUpLoops()
	case d.Busy:
		site.Cameras = []config.Camera{crowdCamera(street, d.Detector, d.Model)}
	default:
		c, err := d.cameraConfig(street)
		if err != nil {
			return err
		}
		site.Cameras = []config.Camera{c}
	}
	d.ledger = newLedger(site.Streams())
	printer := &localbroker.Printer{OnMessage: d.ledger.addMessage}
	if d.Busy {
		printer.OnMessage = (&busyPrinter{out: t.Out}).addMessage
	}
	if d.Messages {
		printer.Out = t.Out
	}
	if err := printer.Subscribe(address); err != nil {
		return err
	}
	defer printer.Disconnect()
	return d.countStreet(ctx, t, site, street, printer)
}

// countStreet runs the agent for the given time and prints the summary.
func (d *demonstration) countStreet(ctx context.Context, t terminal.Terminal, site *config.Site, street *scene.Scene, p *localbroker.Printer) error {
	log := slog.New(slog.NewTextHandler(logbook.New(t.Err, time.Now), &slog.HandlerOptions{Level: slog.LevelWarn}))
	pol, method := policy.Demo(), fmt.Sprintf("noise of ε %g", policy.Demo().Epsilon())
	if d.Busy {
		pol, method = policy.DemoBusy(), "bands"
	} else if d.Loops {
		pol = policy.DemoLoops()
	}
	a, err := NewAgent(site, pol, d.version, clock.Clock{Floor: clockFloor}, nil, log)
	if err != nil {
		return err
	}
	a.windows.onTallies = d.ledger.addTallies
	if street != nil {
		a.cameras[0].Open = func(context.Context) (source.Pictures, error) { return street, nil }
	}
	fmt.Fprintf(t.Err, "kerb: counting %s for %s, in windows of %s, with %s, to %s\n", d.describeSource(), d.For, pol.Window(), method, localbroker.RedactAddress(site.Broker.URL))
	ctx, cancel := context.WithTimeout(ctx, d.For)
	defer cancel()
	if err := a.Run(ctx); err != nil {
		return err
	}
	if err := d.printSummary(t, a, street, p); err != nil {
		return err
	}
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

// slowShare is the part of the pictures of a street below which misses are the
// machine's; chosen by hand.
const slowShare = 0.8

// printSummary prints the table, and which detector looked at which pictures.
func (d *demonstration) printSummary(t terminal.Terminal, a *Agent, street *scene.Scene, p *localbroker.Printer) error {
	if street != nil {
		d.ledger.addTruth(street.Truth())
	}
	rows := d.ledger.rows(a.windows.policy, street != nil)
	fmt.Fprintf(t.Err, "kerb: %d windows published, acknowledged and received; peak memory %d MB\n", p.WindowCount(), replay.PeakRSS())
	if len(a.cameras) > 0 {
		looked := a.cameras[0].Pictures.Load()
		fmt.Fprintf(t.Err, "kerb: %d pictures looked at and overwritten", looked)
		if street != nil && float64(looked) < slowShare*street.Rate()*d.For.Seconds() {
			fmt.Fprintf(t.Err, " of %.0f: this machine is busy or slow, and misses what passes in between", street.Rate()*d.For.Seconds())
		}
		if detector := a.cameras[0].Detector.Load(); detector != nil {
			fmt.Fprintf(t.Err, "; %s", detector)
		}
		fmt.Fprintln(t.Err)
	}
	quantities := d.ledger.quantityRows(a.windows.policy)
	switch {
	case d.Busy:
		return nil
	case d.JSON && len(quantities) > 0:
		return json.NewEncoder(t.Out).Encode(map[string]any{"windows": p.WindowCount(), "epsilon": a.windows.policy.Epsilon(), "rows": rows, "quantities": quantities})
	case d.JSON:
		return json.NewEncoder(t.Out).Encode(map[string]any{"windows": p.WindowCount(), "epsilon": a.windows.policy.Epsilon(), "rows": rows})
	}
	if err := writeTable(t.Out, rows); err != nil || len(quantities) == 0 {
		return err
	}
	return writeQuantities(t.Out, quantities)
}
