package sensor

import (
	"context"
	"fmt"
	"math"
	"slices"

	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/model"
	"kerb/counting/neural"
	"kerb/counting/neural/nets"
)

// chooseDetector returns the detector for pictures of w×h pixels on this device. A
// polled camera has minutes for each picture, so every network is fast enough; it
// needs one, because motion cannot find objects in single pictures.
func (s *Camera) chooseDetector(ctx context.Context, w, h int, arena neural.Arena) (model.Detector, error) {
	measure := model.MeasureSpeed(ctx)
	fast := func(net *neural.Net, rate float64) bool {
		s.extendDeadline(0) // planning was progress; measuring is the next step
		return measure(net, rate)
	}
	if s.Config.Polled() {
		fast = model.AcceptAll
	}
	return model.Choose(s.Config, w, h, 1, arena, s.readModel, fast)
}

// readModel returns the camera's own network, or the one of that name in the
// binary.
func (s *Camera) readModel(name string) (*model.Network, error) {
	s.extendDeadline(0) // planning is a step of its own
	switch {
	case name != s.Config.Model:
		return model.ReadNetwork(name)
	case s.network != nil:
		return s.network, nil
	}
	return model.ReadCameraNetwork(s.Config)
}

// rateChange is the relative change of a network's rate that is reported again. A
// smaller one is noise of the measurement. Chosen by hand.
const rateChange = 0.25

// updateDetectorInfo stores the detector and the measured rate of its network,
// pictures a second, where they changed. A rate of 0 is not measured yet.
func (s *Camera) updateDetectorInfo(d model.Detector, rate float64) {
	old := s.Detector.Load()
	if d.Net != nil && rate == 0 {
		return
	}
	if old != nil && math.Abs(rate-old.rate) <= rateChange*old.rate {
		return
	}
	s.Detector.Store(&DetectorInfo{kind: d.Kind, name: d.Name, rate: rate})
}

// DetectorInfo names the detector of a camera and the rate of its network.
type DetectorInfo struct {
	kind, name string  // as in model.Detector
	rate       float64 // pictures a second that the network takes
}

// String returns a sentence for the summary of a demo.
func (d *DetectorInfo) String() string {
	if d.kind == config.MotionDetector {
		return "objects were found by motion alone"
	}
	return fmt.Sprintf("objects were found by the network %s, %.0f pictures a second, and by motion", d.name, d.rate)
}

// Detection returns the detector as a record of package ipc; its zero value where
// the detector is not known yet.
func (s *Camera) Detection() ipc.Detection {
	if now := s.Detector.Load(); now != nil {
		return packDetection(*now)
	}
	return ipc.Detection{}
}

// packDetection returns the detector as a record. Networks in the binary are
// numbered in the order of nets.Names, from 2 on; 1 is any other network.
func packDetection(d DetectorInfo) ipc.Detection {
	if d.kind != config.NeuralDetector {
		return ipc.Detection{Detector: ipc.MotionDetector}
	}
	p := ipc.Detection{Detector: ipc.NeuralDetector, Network: 1, Looks: uint16(min(math.Round(10*d.rate), math.MaxUint16))}
	if i := slices.Index(nets.Names(), d.name); i >= 0 {
		p.Network = uint8(2 + i)
	}
	return p
}
