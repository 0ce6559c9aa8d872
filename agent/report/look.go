package report

import (
	"context"
	"fmt"
	"sync"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/probe"
	"kerb/agent/status"
	"kerb/counting"
)

// ClosedNow returns a function that reports whether the policy or the camera's own
// hours close a camera at present.
func ClosedNow(site *config.Site, pol *policy.Policy) func(config.Camera) bool {
	r := clock.Clock{Floor: site.Device.ClockFloor}.ReadAll()
	return func(c config.Camera) bool { return pol.ClosedReason(c.Hours, r.Wall, r.Synced) != counting.NoReason }
}

// LookAtCameras looks at all cameras of a site at the same time, see
// probe.LookAtCamera. A camera that is closed at this hour, and one that a running
// agent has, is not asked: many cameras serve one reader. closed may be nil.
func LookAtCameras(ctx context.Context, sitePath string, site *config.Site, closed func(config.Camera) bool) []probe.CameraFacts {
	if len(site.Cameras) == 0 {
		return nil
	}
	all := make([]probe.CameraFacts, len(site.Cameras))
	running := askCameras(ctx, site.Device.State)
	var looks sync.WaitGroup
	for i, c := range site.Cameras {
		f := probe.CameraFacts{Name: c.Name, Source: c.Source.String()}
		switch has, ok := running[c.Name]; {
		case closed != nil && closed(c):
			f.Busy = "closed at this hour, so it was not asked"
			all[i] = f
		case ok:
			all[i] = has
			all[i].Source = f.Source
		default:
			looks.Go(func() { all[i] = probe.LookAtCamera(ctx, sitePath, c) })
		}
	}
	looks.Wait()
	return all
}

// askCameras returns what a running agent tells of its cameras, by name; nil where
// none runs or it cannot be asked.
func askCameras(ctx context.Context, stateDir string) map[string]probe.CameraFacts {
	c, err := status.Dial(ctx, stateDir)
	if err != nil {
		return nil
	}
	defer c.Close()
	s, err := c.Status(0, time.Now())
	if err != nil {
		return nil
	}
	all := map[string]probe.CameraFacts{}
	for _, x := range s.Cameras {
		f := probe.CameraFacts{Name: x.Name, Rate: x.Rate}
		if p := s.FindProblem("camera " + x.Name); p != nil {
			f.Error, f.Do = "kerb run has it: "+p.What, p.Do
		} else {
			f.Busy = fmt.Sprintf("kerb run has it: %s", x.Describe())
		}
		all[x.Name] = f
	}
	return all
}
