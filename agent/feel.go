package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"

	"kerb/agent/cage"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/parcel"
	"kerb/agent/policy"
	"kerb/counting/loop"
)

// feel is sense for the inductive loops. Their lines are requested before the
// walls stand; when they are gone the process ends, and a fresh one is started.
func feel(ctx context.Context, site *config.Site, pol *policy.Policy, log *slog.Logger) error {
	src, err := openLoops(site.Loops)
	if err != nil {
		return err
	}
	l := newLoops(site.Loops, clock.Clock{Floor: site.Device.ClockFloor}, tellFault(site.Loops), log)
	l.open = func() (edges, error) { return src, nil }
	if _, err := wall(cage.Sense().Lines().Memory(senseMemory), site.Device.Strict, log); err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- errors.Join(errors.New("loops lost"), l.watch(ctx)) }()
	go func() { ended <- answer(os.Stdin, os.Stdout, l, pol.Window()) }()
	go tellAlive(log, func() bool { return false }, func() *parcel.Alive { return &parcel.Alive{Watching: true} })
	return <-ended
}

// tellFault tells the supervisor of a fault, in numbers.
func tellFault(conf config.Loops) func(loop.Event) {
	streams := conf.Streams()
	return func(e loop.Event) {
		f := &parcel.Fault{Bits: uint16(e.Fault), On: e.On, Count: e.N}
		for i, s := range streams {
			if s.ID == e.Stream {
				f.Stream = uint16(i)
			}
		}
		f.Line = uint16(max(slices.IndexFunc(conf.Lines, func(l config.LoopLine) bool { return l.Name == e.Line }), 0))
		_ = parcel.Write(os.Stdout, f) // a supervisor that is gone says so on standard input
	}
}
