package publisher

import (
	"kerb/agent/config"
	"kerb/agent/ipc"
)

// DetectorReport names the detector of each camera for the state message.
type DetectorReport struct {
	site     *config.Site
	networks []Network
}

// Network identifies a neural network that is built into the binary.
type Network struct {
	Name   string
	SHA256 string // of its file, hexadecimal
}

// firstBuiltIn is the number of the first network of the binary in an
// ipc.Detection; 0 is no network and 1 the camera's own.
const firstBuiltIn = 2

// NewDetectorReport returns the report on the cameras of site. networks are those
// in the binary, in the order in which an ipc.Detection numbers them.
func NewDetectorReport(site *config.Site, networks []Network) DetectorReport {
	return DetectorReport{site, networks}
}

// addDetector adds to the report of a camera, by its place in site.toml, the detector
// that is in use: "detector", and for a network "network" and "sha256" of the file.
// Before the detector is chosen it adds nothing. How often the network looks is told on
// the device alone: it shows how much there is to do.
func (d DetectorReport) addDetector(camera int, r ipc.Detection, report map[string]any) {
	switch r.Detector {
	case ipc.MotionDetector:
		report["detector"] = config.MotionDetector
	case ipc.NeuralDetector:
		report["detector"] = config.NeuralDetector
		network := Network{"own", d.site.Cameras[camera].ModelSum}
		if n := int(r.Network) - firstBuiltIn; n >= 0 && n < len(d.networks) {
			network = d.networks[n]
		}
		report["network"] = network.Name
		if network.SHA256 != "" {
			report["sha256"] = network.SHA256
		}
	}
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
