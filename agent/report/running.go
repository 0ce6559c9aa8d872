package report

import (
	"context"
	"time"

	"kerb/agent/config"
	"kerb/agent/proof"
	"kerb/agent/status"
)

// FindAgent reports whether an agent of this state directory runs, and its process, 0 where
// that is in another PID namespace.
func FindAgent(ctx context.Context, stateDir string) (pid int, running bool) {
	c, err := status.Dial(ctx, stateDir)
	if err != nil {
		return 0, false
	}
	defer c.Close()
	if pid, err = c.PID(); err != nil {
		pid = 0
	}
	return pid, true
}

// LookAtRunning looks at the walls of the agent of a device, which it finds by the
// status socket: the agent tells which sensors have a process and what each process has
// measured from inside, the kernel which process it is and what its walls are.
func LookAtRunning(ctx context.Context, site *config.Site) *proof.Running {
	c, err := status.Dial(ctx, site.Device.State)
	if err != nil {
		return proof.NotRunning(err)
	}
	defer c.Close()
	pid, err := c.PID()
	if err != nil {
		return proof.NotRunning(err)
	}
	s, err := c.Status(0, time.Now())
	if err != nil {
		return proof.NotRunning(err)
	}
	want := []string{"uplink"}
	for _, camera := range s.Cameras {
		want = append(want, "sense "+camera.Name)
	}
	if s.Loops != nil {
		want = append(want, "sense loops")
	}
	r := proof.LookAtRunning(pid, want)
	for _, w := range s.Walls {
		r.Reported = append(r.Reported, proof.ReportedWalls{Name: w.Process, Hold: w.Hold, Open: w.Open})
	}
	return r
}
