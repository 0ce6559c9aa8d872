package publisher

import (
	"math"

	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/uplink"
)

// A DetectorReport tells the platform what finds the objects of each camera.
type DetectorReport struct {
	site     *config.Site
	networks []Network
}

// Network names a network that is built into the binary.
type Network struct {
	Name   string
	SHA256 string // of its file; "" where the binary was built without it
}

// NewDetectorReport lists the cameras of site. networks are those in the binary, in the
// order in which an ipc.Sight numbers them.
func NewDetectorReport(site *config.Site, networks []Network) DetectorReport {
	return DetectorReport{site, networks}
}

// tell is what the cameras said of themselves, in the words of the wire. A
// camera that said nothing yet is left out.
func (s DetectorReport) Sensors(said func(camera int) ipc.Detection) (out []uplink.Sensor) {
	for i, c := range s.site.Cameras {
		p := said(i)
		if p.Detector == 0 {
			continue
		}
		t := uplink.Sensor{ID: c.Name, Detector: config.MotionDetector}
		if p.Detector == ipc.Neural {
			t.Detector, t.DetectionRate = config.NeuralDetector, math.Round(float64(p.Looks)/10)
			if n := int(p.Network) - 2; n >= 0 && n < len(s.networks) {
				t.Network, t.SHA256 = s.networks[n].Name, s.networks[n].SHA256
			} else {
				t.Network, t.SHA256 = "own", c.ModelSum
			}
		}
		out = append(out, t)
	}
	return out
}
