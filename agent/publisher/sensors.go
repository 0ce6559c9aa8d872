package publisher

import (
	"math"

	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/uplink"
)

// DetectorReport names the detector of each camera for the birth message.
type DetectorReport struct {
	site     *config.Site
	networks []Network
}

// Network identifies a neural network that is built into the binary.
type Network struct {
	Name   string
	SHA256 string // of its file, hexadecimal; "" where the binary was built without it
}

// firstBuiltIn is the number of the first network of the binary in an
// ipc.Detection; 0 is no network and 1 the camera's own.
const firstBuiltIn = 2

// looksPerDetection is the unit of ipc.Detection.Looks: tenths of a detection a
// second.
const looksPerDetection = 10

// NewDetectorReport returns the report on the cameras of site. networks are those
// in the binary, in the order in which an ipc.Detection numbers them.
func NewDetectorReport(site *config.Site, networks []Network) DetectorReport {
	return DetectorReport{site, networks}
}

// Sensors returns an entry for each camera whose detector is known. detection
// returns the latest report of a camera by its place in site.toml, and the zero
// value before the first one.
func (d DetectorReport) Sensors(detection func(camera int) ipc.Detection) (all []uplink.Sensor) {
	for i, c := range d.site.Cameras {
		r := detection(i)
		if r.Detector == 0 {
			continue
		}
		s := uplink.Sensor{ID: c.Name, Detector: config.MotionDetector}
		if r.Detector == ipc.NeuralDetector {
			s.Detector, s.DetectionRate = config.NeuralDetector, math.Round(float64(r.Looks)/looksPerDetection)
			if n := int(r.Network) - firstBuiltIn; n >= 0 && n < len(d.networks) {
				s.Network, s.SHA256 = d.networks[n].Name, d.networks[n].SHA256
			} else {
				s.Network, s.SHA256 = "own", c.ModelSum
			}
		}
		all = append(all, s)
	}
	return all
}

// sensorNames returns the names of the sensing processes in their order: the
// cameras, then "loops" if the site has lanes.
func sensorNames(site *config.Site) (names []string) {
	for _, c := range site.Cameras {
		names = append(names, c.Name)
	}
	if len(site.Loops.Lanes) > 0 {
		names = append(names, "loops")
	}
	return names
}
