package policy

import (
	"strings"
	"testing"

	"kerb/counting"
)

func TestEveryConflictIsListedWithBothPlaces(t *testing.T) {
	p := parse(t, `schema = "kerb.policy/1"
version = 1
purpose = "statistical"
[count]
streams = ["zone", "loop"]
classes = ["person", "vehicle", "car"]
[camera]
masks_required = true
[clear]
window = "15m"
method = "suppress"
below = 10
round = 10
[keep]
retention = "72h"
[[mask]]
camera = "east"
area = [[0, 0], [1, 0], [1, 1]]
`)
	stream := func(id string, k counting.Kind, sensor, at string, cs ...counting.Class) Stream {
		return Stream{Stream: counting.Stream{ID: id, Kind: k, Sensor: sensor, Classes: cs}, At: at}
	}
	site := Site{
		At:      "site.toml",
		Cameras: []Camera{{Name: "north", At: "site.toml:10"}, {Name: "south", At: "site.toml:40", Masks: []counting.Polygon{{{X: 0, Y: 0}, {X: 0.1, Y: 0}, {X: 0.1, Y: 0.1}, {X: 0, Y: 0.1}}}}},
		Streams: []Stream{
			stream("kerb", counting.LineStream, "north", "site.toml:14", counting.Person, counting.Bicycle),
			stream("square", counting.ZoneStream, "north", "site.toml:20", counting.Person),
			stream("stop", counting.ZoneStream, "south", "site.toml:44", counting.Vehicle, counting.Car),
			stream("empty", counting.ZoneStream, "south", "site.toml:48"),
			stream("lane", counting.LoopStream, "loop-1", "site.toml:60", counting.Vehicle),
			stream("lane-split", counting.LoopStream, "loop-1", "site.toml:66", counting.Car),
		},
	}
	want := []string{
		"site.toml:10: camera north has no mask: the policy wants at least one (policy.toml:8)",
		"site.toml:14: stream kerb is a line: the policy allows zone, loop, as nothing may be followed (policy.toml:5)",
		"site.toml:14: stream kerb counts bicycle: the policy allows person, vehicle, car (policy.toml:6)",
		"site.toml:44: stream stop: vehicle and a part of it are both counted: their difference would tell what is withheld (policy.toml:6)",
		"site.toml:48: stream empty: no class is counted (policy.toml:6)",
		`site.toml: there is no camera "east": the policy has a mask for it (policy.toml:17)`,
		"site.toml:20: sensor north: a person can be counted in 2 streams (kerb, square): the policy allows 1, because their difference would tell what is withheld (policy.toml:9)",
		"site.toml:66: sensor loop-1: a vehicle can be counted in 2 streams (lane, lane-split), as a whole and in parts: the difference would tell what is withheld (policy.toml:9)",
	}
	var got []string
	for _, c := range p.CheckSite(site) {
		got = append(got, c.Error())
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestASiteThatFitsHasNoConflict(t *testing.T) {
	p := parse(t, noisy)
	site := Site{At: "site.toml", Cameras: []Camera{{Name: "north"}}, Streams: []Stream{
		{Stream: counting.Stream{ID: "kerb", Sensor: "north", Classes: []counting.Class{counting.Person, counting.Bicycle}}},
		{Stream: counting.Stream{ID: "road", Sensor: "north", Classes: []counting.Class{counting.Bicycle, counting.Vehicle}}},
		{Stream: counting.Stream{ID: "wait", Kind: counting.ZoneStream, Sensor: "north", Classes: []counting.Class{counting.Person}}},
	}}
	if cs := p.CheckSite(site); len(cs) > 0 {
		t.Errorf("%v", cs)
	}
	site.Streams = append(site.Streams, Stream{Stream: counting.Stream{ID: "again", Sensor: "north", Classes: []counting.Class{counting.Person}}, At: "site.toml:9"})
	want := "site.toml:9: sensor north: a person can be counted in 3 streams (kerb, wait, again) and so spend ε 3: the policy allows 2 (policy.toml:8)"
	if cs := p.CheckSite(site); len(cs) != 1 || cs[0].Error() != want {
		t.Errorf("got  %v\nwant %s", cs, want)
	}
}

func TestTheWholeBesideItsPartsIsNeverGivenWithoutNoise(t *testing.T) {
	streams := []Stream{
		{Stream: counting.Stream{ID: "all", Sensor: "north", Classes: []counting.Class{counting.Vehicle}}},
		{Stream: counting.Stream{ID: "cars", Sensor: "north", Classes: []counting.Class{counting.Car, counting.Heavy}}},
	}
	for _, c := range []struct {
		policy string
		excess bool
	}{{suppressed, true}, {noisy, false}} {
		text := strings.NewReplacer(`"vehicle"]`, `"vehicle", "car", "heavy"]`, "totals = true", "overlap = 2").Replace(c.policy)
		if l := parse(t, text).SensorCharges(streams); len(l) != 1 || l[0].ExceedsLimit() != c.excess || len(l[0].Streams) != 2 {
			t.Errorf("%+v", l)
		}
	}
}
