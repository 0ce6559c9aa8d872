package supervisor

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"kerb/agent/admission"
	"kerb/agent/clock"
	"kerb/agent/ipc"
	"kerb/agent/process"
	"kerb/agent/publisher"
	"kerb/agent/sensor"
	"kerb/agent/source"
	"kerb/agent/uplink"
)

// startPublisher starts the code of the process with a network. What it returns sends it
// a record.
func (p *play) startPublisher(ctx context.Context, clk clock.Clock, log *slog.Logger) (send func(ipc.Record)) {
	inR, inW, err := os.Pipe()
	outR, outW, err2 := os.Pipe()
	fds, err3 := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err := errors.Join(err, err2, err3, syscall.SetNonblock(fds[0], true), syscall.SetNonblock(fds[1], true)); err != nil {
		p.t.Fatal(err)
	}
	asks, answers := os.NewFile(uintptr(fds[0]), "queries"), os.NewFile(uintptr(fds[1]), "queries")
	c := &process.Process{Cmd: &exec.Cmd{Process: &os.Process{}}, Stdin: inW, Stdout: outR, Queries: asks}
	p.s.mu.Lock()
	p.s.publisherProcess = c
	p.s.mu.Unlock()
	var all sync.WaitGroup
	all.Go(func() {
		err := publisher.RunInside(ctx, p.site, admission.Decision{Policy: p.pol}, publisher.Build{Version: "test"}, publisher.Inside{In: inR, Out: outW, Queries: answers, Clock: clk, Tune: p.tune}, log)
		if err != nil && ctx.Err() == nil {
			p.t.Errorf("uplink: %v", err)
		}
		outW.Close()
	})
	all.Go(func() {
		for {
			m, err := ipc.ReadRecord(outR)
			if err != nil {
				return
			}
			if err := p.s.handlePublisherRecord(c, m); err != nil {
				p.t.Error(err)
			}
		}
	})
	all.Go(func() { p.s.sendQueue(ctx, c) })
	p.closers = append(p.closers, func() {
		inW.Close()
		asks.Close()
		answers.Close()
		all.Wait()
		inR.Close()
		outR.Close()
	})
	return func(m ipc.Record) {
		if err := c.SendRecords(m); err != nil {
			p.t.Error(err)
		}
	}
}

// startSensor starts the code of the sensing process. What it returns sends a heartbeat.
func (p *play) startSensor(ctx context.Context, clk clock.Clock, log *slog.Logger) (beat func(delivering bool)) {
	inR, inW, err := os.Pipe()
	outR, outW, err2 := os.Pipe()
	if err := errors.Join(err, err2); err != nil {
		p.t.Fatal(err)
	}
	var of sensor.Sensor
	heart := func() *ipc.Heartbeat { return &ipc.Heartbeat{Delivering: true} }
	if len(p.site.Cameras) > 0 {
		cam := sensor.NewCamera(p.site.Cameras[0], p.pol, nil, func() time.Duration { return clk.ReadAll().Mono }, log)
		cam.Open = func(context.Context) (source.Pictures, error) { return p.stage, nil }
		cam.View.OnChange = sensor.SendCameraFaults(outW)
		of, heart = cam, func() *ipc.Heartbeat {
			h := cam.Heartbeat()
			h.LatencyP50, h.LatencyP95 = 0, 0 // of the machine's clock
			return h
		}
	} else {
		l := sensor.NewLoops(p.site.Loops, clk, sensor.SendLoopFaults(outW, p.site.Loops), log)
		l.Open = func() (source.Edges, error) { return edges{p.stage, p.boot}, nil }
		of = l
	}
	slot := p.s.slots[0]
	c := &process.Process{Cmd: &exec.Cmd{Process: &os.Process{}}, Stdin: inW, Stdout: outR}
	handle := func(m ipc.Record) {
		if err := p.s.handleSensorRecord(slot, c, m); err != nil {
			p.t.Error(err)
		}
	}
	handle(&ipc.Walls{})
	var all sync.WaitGroup
	all.Go(func() { sensor.NewSchedule(p.pol, nil, clk.ReadAll).Run(ctx, of) })
	all.Go(func() {
		if err := sensor.ServeWindows(inR, outW, watcher{of, p}, p.pol.Window(), func(bool) {}); err != nil {
			p.t.Error(err)
		}
		outW.Close()
	})
	all.Go(func() {
		for {
			m, err := ipc.ReadRecord(outR)
			if err != nil {
				return
			}
			handle(m)
		}
	})
	p.closers = append(p.closers, func() {
		inW.Close()
		p.stage.Close()
		all.Wait()
		inR.Close()
		outR.Close()
	})
	return func(delivering bool) {
		h := heart()
		h.Delivering = delivering
		handle(h)
	}
}

// A gate stands before the uplink's look at the spool. While it is closed the uplink
// waits, as if the device were slow; so it finds the whole window, and its order is the
// same in each play. The state goes out after each opening.
type gate struct {
	mu     sync.Mutex
	opened *sync.Cond
	shut   bool
	window int
}

func newGate() *gate {
	g := new(gate)
	g.opened = sync.NewCond(&g.mu)
	return g
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
}

func (g *gate) open(window int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut, g.window = false, window+1
	g.opened.Broadcast()
}

// pass waits until the gate is open. It returns another text after each opening.
func (g *gate) pass() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.shut {
		g.opened.Wait()
	}
	return strconv.Itoa(g.window)
}

// tune is the gate, and the order of messages, for the uplink.
func (p *play) tune(o *uplink.Opts) {
	o.AgentTriggers, o.MaxUnacked = p.gate.pass, 1
}
