package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/localbroker"
	"kerb/agent/policy"
	"kerb/agent/replay"
	"kerb/agent/source"
	"kerb/agent/terminal"
	"kerb/counting"
	"kerb/drivers/camera/scene"
	loopstreet "kerb/drivers/loop/street"
)

type demoCmd struct {
	For      time.Duration `help:"How long." default:"30s"`
	Broker   string        `help:"Publish to this broker instead of the embedded one." placeholder:"URL"`
	Scene    string        `help:"Which built-in street: calm, busy, windy, rain, dusk, night or jam." default:"busy?rate=15"`
	Detector string        `help:"How objects are found: ${enum}." enum:"auto,neural,motion" default:"auto"`
	Model    string        `help:"The network, an ONNX or .kerb file, or street or street-small; empty: as auto chooses." placeholder:"F"`
	Loops    bool          `help:"Made-up inductive loops instead of a camera."`
	Clip     string        `arg:"" optional:"" name:"CLIP" help:"Count this clip instead of the built-in street."`
}

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
		broker, err := localbroker.Start()
		if err != nil {
			return err
		}
		defer broker.Close()
		address = broker.Url
	}
	street, err := d.openStreet()
	if err != nil {
		return err
	}
	if d.Clip != "" {
		clip, err := source.OpenClip(d.Clip)
		if err != nil {
			return err
		}
		if err := clip.Close(); err != nil {
			return err
		}
	}
	if d.Loops && d.Clip != "" {
		return terminal.UsageError("-loops and CLIP are two kinds of street: use one of them")
	}
	if d.Detector == config.MotionDetector && d.Model != "" {
		return terminal.UsageError("-detector motion needs no -model")
	}
	listener := &messagePrinter{out: t.Out}
	if err := listener.subscribe(address); err != nil {
		return err
	}
	defer listener.client.Disconnect(250)
	site := &config.Site{
		Device: config.Device{Tenant: "kerb", Site: "demo", Name: "demo", State: state},
		Broker: config.Broker{URL: address},
	}
	if d.Loops {
		site.Loops = demoLoops()
	} else {
		c, err := d.cameraConfig(street)
		if err != nil {
			return err
		}
		site.Cameras = []config.Camera{c}
	}
	return d.runDemo(ctx, t, site, street, listener)
}

// epoch is a time that is past for sure: a demonstration believes any clock.
var epoch = time.Unix(0, 0)

// openStreet is the scene to look at, or nil when a clip is given.
func (d *demoCmd) openStreet() (*scene.Scene, error) {
	if d.Clip != "" || d.Loops {
		return nil, nil
	}
	return source.OpenScene(d.Scene, true)
}

func (d *demoCmd) cameraConfig(street *scene.Scene) (c config.Camera, err error) {
	c = config.Camera{Name: "street", Detector: d.Detector, Model: d.Model}
	if street == nil {
		c.Source, err = config.ParseSource(d.Clip)
		c.Lines = replay.MiddleLine()
		return c, err
	}
	for _, l := range street.Lines() {
		classes := []counting.Class{counting.Person}
		if l.ID == "road" {
			classes = []counting.Class{counting.Bicycle, counting.Vehicle}
		}
		c.Lines = append(c.Lines, config.Line{Line: l, Classes: classes})
	}
	c.Heights = street.Heights()
	return c, nil
}

// runDemo runs the agent for the time asked for and sums up.
func (d *demoCmd) runDemo(ctx context.Context, t terminal.Terminal, site *config.Site, street *scene.Scene, l *messagePrinter) error {
	log := slog.New(slog.NewTextHandler(t.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := newInProcessAgent(site, policy.Demo(), clock.Clock{Floor: epoch}, nil, log)
	if err != nil {
		return err
	}
	if street != nil {
		a.cameras[0].Open = func(context.Context) (source.Pictures, error) { return street, nil }
	}
	w := policy.Demo()
	fmt.Fprintf(t.Err, "kerb: %s for %s, windows of %s, noise of ε %g, to %s\n", d.describeSource(), d.For, w.Window(), w.Epsilon(), redactURL(site.Broker.URL))
	ctx, cancel := context.WithTimeout(ctx, d.For)
	defer cancel()
	if err := a.Run(ctx); err != nil {
		return err
	}
	d.printSummary(t, a, street, l)
	switch {
	case l.windows() == 0:
		return fmt.Errorf("no window arrived from %s", redactURL(site.Broker.URL))
	case len(a.cameras) > 0 && a.cameras[0].Pictures.Load() == 0:
		return fmt.Errorf("%s gave no picture", d.describeSource())
	}
	return nil
}

// demoLoops are a lane with two loops and a lane with one.
func demoLoops() config.Loops {
	return config.Loops{
		Source: "street",
		Lines:  []config.LoopLine{{Name: "L1A"}, {Name: "L1B"}, {Name: "L2A"}},
		Lanes: []config.LoopLane{
			{ID: "pair", Loops: []string{"L1A", "L1B"}, Spacing: loopstreet.Spacing, LoopLength: loopstreet.LoopLength, Split: true},
			{ID: "single", Loops: []string{"L2A"}, LoopLength: loopstreet.LoopLength},
		},
	}
}

func (d *demoCmd) describeSource() string {
	if d.Loops {
		return "made-up loops"
	}
	if d.Clip != "" {
		return d.Clip
	}
	name, _, _ := strings.Cut(d.Scene, "?")
	return "the built-in street, " + name
}

func (d *demoCmd) printSummary(t terminal.Terminal, a *inProcessAgent, street *scene.Scene, l *messagePrinter) {
	defer func() {
		fmt.Fprintf(t.Err, "kerb: %d windows published, acknowledged and received; peak memory %d MB\n", l.windows(), replay.PeakRSS())
	}()
	if d.Loops {
		fmt.Fprintf(t.Err, "kerb: passages %v\n", a.windows.sensors[0])
		return
	}
	s := a.cameras[0]
	fmt.Fprintf(t.Err, "kerb: %d pictures looked at and overwritten, %d crossings counted", s.Pictures.Load(), s.Crossings.Load())
	if street != nil {
		real := 0
		for _, e := range street.Truth() {
			for _, line := range s.Config.Lines {
				if e.Stream == line.ID && countsClass(line.Classes, e.Class) {
					real++
				}
			}
		}
		fmt.Fprintf(t.Err, " of %d real ones", real)
	}
	fmt.Fprintln(t.Err)
	if now := s.Detector.Load(); now != nil {
		fmt.Fprintf(t.Err, "kerb: %s\n", now)
	}
}

func countsClass(classes []counting.Class, c counting.Class) bool {
	for _, k := range classes {
		if k == c || k == c.WithoutSplit() {
			return true
		}
	}
	return false
}

// A messagePrinter is a subscriber that prints what it gets: the proof that the
// messages really left.
type messagePrinter struct {
	out    interface{ Write([]byte) (int, error) }
	client mqtt.Client
	mu     sync.Mutex
	n      int
}

func (l *messagePrinter) subscribe(address string) error {
	o := mqtt.NewClientOptions().AddBroker(address).SetClientID("kerb-demo-listener").
		SetAutoReconnect(false).SetConnectTimeout(5 * time.Second)
	l.client = mqtt.NewClient(o)
	if err := waitToken(l.client.Connect()); err != nil {
		return fmt.Errorf("subscribe at %s: %w", redactURL(address), err)
	}
	tok := l.client.Subscribe("kerb/v1/kerb/demo/#", 1, func(_ mqtt.Client, m mqtt.Message) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if strings.Contains(m.Topic(), "/count/") {
			l.n++
		}
		fmt.Fprintf(l.out, "%s %s\n", m.Topic(), m.Payload())
	})
	if err := waitToken(tok); err != nil {
		return fmt.Errorf("subscribe at %s: %w", redactURL(address), err)
	}
	return nil
}

// waitToken waits for a token, for a bounded time.
func waitToken(tok mqtt.Token) error {
	if !tok.WaitTimeout(10 * time.Second) {
		return errors.New("no answer within 10s")
	}
	return tok.Error()
}

// redactURL is an address without what may be a password in it.
func redactURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the broker"
	}
	return u.Redacted()
}

func (l *messagePrinter) windows() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}
