package publisher

import (
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/uplink"
	"kerb/counting"
)

// newBirth returns the content of the meta message, from the two files.
func newBirth(site *config.Site, pol *policy.Policy, version string) uplink.Birth {
	b := uplink.Birth{
		Version: version, Window: pol.Window(), Retention: pol.Retention(), Commands: pol.AllowedCommands(),
		Place:  newPlace(site.Device.Place),
		Config: uplink.Config{Hash: site.Hash, Version: site.Version},
		Policy: uplink.Policy{
			Hash: pol.Hash(), Version: pol.Version(), Title: pol.Title(), Purpose: string(pol.Purpose()),
			Controller: pol.Controller(), Contact: pol.Contact(),
		},
		Hours:      uplink.Hours{TimeZone: pol.TimeZone().String(), Open: pol.OpenHours()},
		Acceptance: ReadAcceptances(site.Device.State),
	}
	var kinds []counting.Kind
	for _, s := range site.Streams() {
		kinds = append(kinds, s.Kind)
		b.Streams = append(b.Streams, newStream(site, pol, s))
	}
	b.Clearing, b.Alerts = pol.DescribeClearing(kinds...), pol.Alerts()
	return b
}

// newStream returns the declaration of one stream.
func newStream(site *config.Site, pol *policy.Policy, s counting.Stream) uplink.Stream {
	label := site.Labels[s.ID]
	out := uplink.Stream{
		ID: s.ID, Kind: s.Kind.String(), Sensor: s.Sensor, MadeUp: site.MadeUp(s), Instants: s.Polled,
		Bearing: label.Bearing, Place: newPlace(label.Place), Quantities: pol.DescribeQuantities(s),
	}
	for _, c := range s.Classes {
		out.Classes = append(out.Classes, c.String())
	}
	for d := range counting.Direction(counting.Directions) {
		if s.Kind != counting.ZoneStream && s.OneWay.Sees(d) {
			out.Directions = append(out.Directions, d.String())
		}
	}
	if label.SideA != "" {
		out.Sides = &uplink.Sides{A: label.SideA, B: label.SideB}
	}
	return out
}

// newPlace returns the declared part of a place; nil where none is declared.
func newPlace(p config.Place) *uplink.Place {
	if p == (config.Place{}) {
		return nil
	}
	out := &uplink.Place{Name: p.Description}
	if p.HasPosition() {
		out.Lat, out.Lon = &p.Lat, &p.Lon
	}
	return out
}
