package config

import (
	"strings"
	"testing"

	"kerb/counting"
)

// A line measures the speeds of vehicles where the file gives the scale of the street, and
// says how wrong they are.
func TestALineMeasuresSpeedsWhereTheStreetIsMeasured(t *testing.T) {
	const text = `device = {name = "pi-1", site = "site", tenant = "city"}
broker.url = "mqtt://127.0.0.1:1883"
[[camera]]
name = "north"
source = "scene:calm"
DISTANCE
[[camera.line]]
id = "road"
from = [0.1, 0.6]
to = [0.9, 0.6]
classes = CLASSES
[[camera.zone]]
id = "plaza"
polygon = [[0, 0.5], [1, 0.5], [1, 1]]
`
	for _, k := range []struct {
		name, distance, classes string
		measures                bool
	}{
		{"a distance over the line", `distance = {from = [0.5, 0.7], to = [0.5, 0.5], metres = 9}`, `["person", "vehicle"]`, true},
		{"parts of vehicles", `distance = {from = [0.5, 0.7], to = [0.5, 0.5], metres = 9}`, `["car", "heavy"]`, true},
		{"people alone", `distance = {from = [0.5, 0.7], to = [0.5, 0.5], metres = 9}`, `["person"]`, false},
		{"a distance across the road", `distance = {from = [0.2, 0.6], to = [0.8, 0.6], metres = 9}`, `["vehicle"]`, false},
		{"nothing", ``, `["vehicle"]`, false},
	} {
		s, err := Parse("site.toml", []byte(strings.NewReplacer("DISTANCE", k.distance, "CLASSES", k.classes).Replace(text)))
		if err != nil {
			t.Fatal(err)
		}
		line, zone := s.Streams()[0], s.Streams()[1]
		if k.measures != line.Measures.Has(counting.Speeds) || k.measures != (line.SpeedError > 0) || zone.Measures.Has(counting.Speeds) {
			t.Errorf("%s: the line %+v, the zone %+v", k.name, line, zone)
		}
	}
}
