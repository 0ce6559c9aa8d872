package model

import (
	"context"
	"errors"
	"time"

	"kerb/agent/config"
	"kerb/counting/neural"
	"kerb/counting/neural/nets"
)

// A detector is how a camera's objects are found on this device: what auto
// chose, or what was asked for.
type Detector struct {
	Kind string      // neural or motion
	Name string      // the network's: a path, or one of nets.All; empty for motion
	Net  *neural.Net // nil for motion
}

// minRate is how many pictures a second a network must be able to look at
// to be better than motion alone: below, what drives by is seen too rarely.
const minRate = 4.0

// coreShare is how much of one core's time a network may take in the long run:
// the rest is for motion, for decoding and for what else the device does.
const MaxCoreShare = 0.7

var ErrNoNetwork = errors.New("this binary was built without a network: name one as the model")

// candidates are the networks that a camera may be seen with, the best first.
func Candidates(model string) []string {
	if model != "" {
		return []string{model}
	}
	var there []string
	for _, name := range nets.Names() {
		if nets.ReadNet(name) != nil {
			there = append(there, name)
		}
	}
	return there
}

// choose makes the detector of a camera whose pictures are w×h. Sustained says
// whether this device looks often enough with a network; auto falls back on a
// smaller one and then on motion where it does not. What pictures leave in the
// network lies in the arena; nil: Go's heap.
func Choose(c config.Camera, w, h, threads int, arena neural.Arena, read func(string) (*Network, error), sustained func(*neural.Net) bool) (Detector, error) {
	if c.Detector == config.MotionDetector {
		return Detector{Kind: config.MotionDetector}, nil
	}
	names := Candidates(c.Model)
	if len(names) == 0 && c.Detector == config.NeuralDetector {
		return Detector{}, ErrNoNetwork
	}
	for _, name := range names {
		f, err := read(name)
		if err != nil {
			return Detector{}, err
		}
		if c.Detector != config.NeuralDetector {
			net, err := PlanNetwork(f, name, w, h, threads, nil)
			if err != nil {
				return Detector{}, err
			}
			fast := sustained(net)
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

// always is for recordings: they wait for the network.
func AcceptAll(*neural.Net) bool { return true }

// maxRunTime is how long one look may take for that, and measureTimeout how
// long they are tried: a device that is much too slow must not be found to
// hang.
const (
	maxRunTime     = time.Duration(MaxCoreShare / minRate * float64(time.Second))
	measureTimeout = 2 * time.Second
)

// sustains measures whether a network is fast enough here. The best of a few
// looks counts, as the first is slower and another process may come between.
func MeasureSpeed(ctx context.Context) func(*neural.Net) bool {
	return func(net *neural.Net) bool {
		begun := time.Now()
		for range 6 {
			from := time.Now()
			net.Run()
			if time.Since(from) <= maxRunTime {
				return true
			}
			if ctx.Err() != nil || time.Since(begun) > measureTimeout {
				return false
			}
		}
		return false
	}
}

func (d Detector) Close() {
	if d.Net != nil {
		d.Net.Close()
	}
}
