package model

import (
	"context"
	"time"

	"kerb/agent/config"
	"kerb/counting/neural"
	"kerb/counting/neural/nets"
)

// Detector finds a camera's objects on this device: by a network and motion, or by
// motion alone.
type Detector struct {
	Kind string      // config.NeuralDetector or config.MotionDetector
	Name string      // of the network: a path, or one of nets.Names; empty for motion
	Net  *neural.Net // nil for motion
}

// The least rates of a network, in pictures a second.
const (
	// minRate is the least rate at which a network is better than motion alone: below
	// it a vehicle passes between two pictures.
	minRate = 4.0

	// largeRate is the least rate at which street-large is better than street, which
	// is three times as fast: below 8 pictures a second following loses crossings.
	largeRate = 8.0
)

// MaxCoreShare is the share of one core's time that a network may take in the long
// run. The rest is for motion, for decoding and for the other work of the device.
// Chosen by hand.
const MaxCoreShare = 0.7

// Candidates returns the networks that a camera may be counted with: the one that
// site.toml names, or else those in the binary, the best first.
func Candidates(model string) []string {
	if model != "" {
		return []string{model}
	}
	return nets.Names()
}

// Choose makes the detector of camera c for pictures of w×h pixels. read reads a
// candidate. sustained reports whether this device runs a planned network at
// so many pictures a second: with detector auto a candidate that is too slow is skipped, and motion is
// used after the last one; with neural the first candidate is used unmeasured. All
// tensors are in arena; nil: on Go's heap. Close the result.
func Choose(c config.Camera, w, h, threads int, arena neural.Arena, read func(string) (*Network, error), sustained func(net *neural.Net, rate float64) bool) (Detector, error) {
	if c.Detector == config.MotionDetector {
		return Detector{Kind: config.MotionDetector}, nil
	}
	for _, name := range Candidates(c.Model) {
		f, err := read(name)
		if err != nil {
			return Detector{}, err
		}
		if c.Detector != config.NeuralDetector {
			net, err := PlanNetwork(f, name, w, h, threads, nil)
			if err != nil {
				return Detector{}, err
			}
			rate := minRate
			if name == nets.Large {
				rate = largeRate
			}
			fast := sustained(net, rate)
			net.Close()
			if !fast {
				continue
			}
		}
		net, err := PlanNetwork(f, name, w, h, threads, arena)
		return Detector{config.NeuralDetector, name, net}, err
	}
	return Detector{Kind: config.MotionDetector}, nil
}

// AcceptAll is a sustained for Choose that accepts every network: recordings and
// polled cameras wait for it.
func AcceptAll(*neural.Net, float64) bool { return true }

const (
	// measureTimeout ends a measurement on a device that is much too slow, so that
	// the process does not count as stalled. measureRuns is the most runs. Both were
	// chosen by hand.
	measureTimeout = 2 * time.Second
	measureRuns    = 6
)

// maxRunTime returns the longest run of a network that leaves so many pictures a
// second within MaxCoreShare: 175 ms at minRate, 87 ms at largeRate.
func maxRunTime(rate float64) time.Duration {
	return time.Duration(MaxCoreShare / rate * float64(time.Second))
}

// MeasureSpeed returns a sustained for Choose that runs the network until one run
// takes at most maxRunTime: the first run is slower than the others, and another
// process may delay any of them.
func MeasureSpeed(ctx context.Context) func(*neural.Net, float64) bool {
	return func(net *neural.Net, rate float64) bool {
		begun := time.Now()
		for range measureRuns {
			from := time.Now()
			net.Run()
			if time.Since(from) <= maxRunTime(rate) {
				return true
			}
			if ctx.Err() != nil || time.Since(begun) > measureTimeout {
				return false
			}
		}
		return false
	}
}

// Close frees the network, if there is one.
func (d Detector) Close() {
	if d.Net != nil {
		d.Net.Close()
	}
}
