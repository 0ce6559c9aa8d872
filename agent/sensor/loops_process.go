package sensor

import (
	"context"
	"errors"
	"io"
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

// RunLoops is the process kerb sense without a name. It requests the lines of the
// loops before it raises the walls, and only in the policy's hours: a process that
// starts outside of them ends when they begin, so that a new process requests the
// lines. It ends, too, when the lines are lost or standard input ends.
func RunLoops(ctx context.Context, site *config.Site, pol *policy.Policy, log *slog.Logger) error {
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	hours := NewSchedule(pol, nil, clk.ReadAll)
	l := NewLoops(site.Loops, clk, SendLoopFaults(os.Stdout, site.Loops), log)
	open := hours.closedReason() == counting.NoReason
	if open {
		src, err := source.OpenLoops(site.Loops)
		if err != nil {
			return err
		}
		l.Open = func() (source.Edges, error) { return src, nil }
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

// countInHours counts until the hours end, and returns an error when they begin
// again. open says that the lines were requested.
func countInHours(ctx context.Context, l *Loops, hours Schedule, open bool) error {
	if open {
		once := singleRun{l, nil}
		hours.runOpenHours(ctx, &once)
		if hours.closedReason() == counting.NoReason {
			return errors.Join(errors.New("loops lost"), once.err)
		}
	}
	for why := hours.closedReason(); why != counting.NoReason; why = hours.closedReason() {
		l.MarkLost(why)
		hours.waitInterval(ctx)
	}
	return errors.New("the hours begin: requesting the lines")
}

// singleRun is a Loops whose Run ends when the lines are lost, because lines cannot
// be requested behind the walls.
type singleRun struct {
	*Loops
	err error
}

// Run counts until the lines are lost or ctx ends.
func (s *singleRun) Run(ctx context.Context) { s.err = s.countUntilLost(ctx) }

// SendLoopFaults returns a function that writes a fault to out as a record. The record
// numbers stream and line by their place in site.toml.
func SendLoopFaults(out io.Writer, conf config.Loops) func(loop.Event) {
	streams := conf.Streams()
	return func(e loop.Event) {
		f := &ipc.LoopFault{FaultBit: uint16(e.Fault), On: e.On, Count: e.N}
		for i, s := range streams {
			if s.ID == e.Stream {
				f.Stream = uint16(i)
			}
		}
		f.Line = uint16(max(slices.IndexFunc(conf.Lines, func(l config.LoopLine) bool { return l.Name == e.Line }), 0))
		_ = ipc.WriteRecord(out, f) // a supervisor that is gone is noticed on standard input
	}
}
