package sensor

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"

	"kerb/agent/cage"
	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/source"
	"kerb/counting"
	"kerb/counting/loop"
)

// feel is sense for the inductive loops. Their lines are requested before the
// walls stand, and only in the policy's hours: a process that finds them closed
// waits and ends when they open, so that a fresh one requests the lines. It
// ends, too, when the lines are gone.
func RunLoops(ctx context.Context, site *config.Site, pol *policy.Policy, log *slog.Logger) error {
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	hours := NewSchedule(pol, nil, clk.ReadAll)
	l := NewLoops(site.Loops, clk, sendFaults(site.Loops), log)
	open := hours.Closed() == counting.NoReason
	if open {
		src, err := source.OpenLoops(site.Loops)
		if err != nil {
			return err
		}
		l.open = func() (source.Edges, error) { return src, nil }
	}
	if _, err := child.RaiseWalls(cage.Sense().Lines().Memory(MaxGrowth), site.Device.Strict, log); err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- countInHours(ctx, l, hours, open) }()
	go func() { ended <- ServeWindows(os.Stdin, os.Stdout, l, pol.Window(), func(bool) {}) }()
	go child.SendHeartbeats(log, func() bool { return false }, func() *ipc.Heartbeat { return &ipc.Heartbeat{Delivering: open} })
	return <-ended
}

// countInHours counts until the hours end, and then waits for them to begin again.
func countInHours(ctx context.Context, l *loops, hours Schedule, open bool) error {
	if open {
		once := singleRun{l, nil}
		hours.runOpenHours(ctx, &once)
		if hours.Closed() == counting.NoReason {
			return errors.Join(errors.New("loops lost"), once.err)
		}
	}
	for why := hours.Closed(); why != counting.NoReason; why = hours.Closed() {
		l.MarkLost(why)
		hours.wait(ctx)
	}
	return errors.New("the hours begin: requesting the lines")
}

// singleRun is the loops for as long as their lines are there: not opened again.
type singleRun struct {
	*loops
	err error
}

func (s *singleRun) Run(ctx context.Context) { s.err = s.countUntilLost(ctx) }

// sendFaults tells the supervisor of a fault, in numbers.
func sendFaults(conf config.Loops) func(loop.Event) {
	streams := conf.Streams()
	return func(e loop.Event) {
		f := &ipc.LoopFault{FaultBit: uint16(e.Fault), On: e.On, Count: e.N}
		for i, s := range streams {
			if s.ID == e.Stream {
				f.Stream = uint16(i)
			}
		}
		f.Line = uint16(max(slices.IndexFunc(conf.Lines, func(l config.LoopLine) bool { return l.Name == e.Line }), 0))
		_ = ipc.WriteRecord(os.Stdout, f) // a supervisor that is gone says so on standard input
	}
}
