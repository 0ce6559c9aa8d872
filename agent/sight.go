package main

import (
	"math"
	"slices"

	"kerb/agent/config"
	"kerb/agent/network"
	"kerb/agent/parcel"
	"kerb/agent/uplink"
	"kerb/counting/neural/nets"
)

// packSight is what finds a camera's objects, in numbers.
func packSight(s seeing) parcel.Sight {
	if s.kind != neuralDetector {
		return parcel.Sight{Detector: parcel.Motion}
	}
	p := parcel.Sight{Detector: parcel.Neural, Network: 1, Looks: uint16(min(math.Round(10*s.pace), math.MaxUint16))}
	if i := slices.Index(nets.All(), s.name); i >= 0 {
		p.Network = uint8(2 + i)
	}
	return p
}

// A seers tells the platform what finds the objects of each camera.
type seers struct {
	site *config.Site
	sums map[string]string // of the networks in the binary
}

func newSeers(site *config.Site) seers {
	s := seers{site: site, sums: map[string]string{}}
	for _, name := range nets.All() {
		if b := nets.Read(name); b != nil {
			s.sums[name] = network.Sum(b)
		}
	}
	return s
}

// tell is what the cameras said of themselves, in the words of the wire. A
// camera that said nothing yet is left out.
func (s seers) tell(said func(camera int) parcel.Sight) (out []uplink.Sensor) {
	for i, c := range s.site.Cameras {
		p := said(i)
		if p.Detector == 0 {
			continue
		}
		t := uplink.Sensor{ID: c.Name, Detector: motionDetector}
		if p.Detector == parcel.Neural {
			t.Detector, t.Looks = neuralDetector, math.Round(float64(p.Looks)/10)
			if n := int(p.Network) - 2; n >= 0 && n < len(nets.All()) {
				t.Network = nets.All()[n]
				t.SHA256 = s.sums[t.Network]
			} else {
				t.Network, t.SHA256 = "own", c.ModelSum
			}
		}
		out = append(out, t)
	}
	return out
}
