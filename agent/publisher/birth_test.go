package publisher

import (
	"reflect"
	"testing"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/uplink"
	"kerb/configs"
)

const labelledSite = `version = 3
[device]
name = "pi"
site = "s"
tenant = "t"
place = { description = "lamp post 7" }
[broker]
url = "mqtt://127.0.0.1:1"
[[camera]]
name = "north"
source = "rtsp://cam/1"
[[camera.line]]
id = "kerb"
from = [0, 0.5]
to = [1, 0.5]
[[camera.zone]]
id = "plaza"
polygon = [[0, 0], [1, 0], [1, 1]]
[loop]
source = "street"
[[loop.line]]
name = "L1"
[[loop.lane]]
id = "lane"
loops = ["L1"]
reverse = true
[[stream]]
id = "kerb"
a = "shops"
b = "park"
bearing = 0
place = { lat = 51.5, lon = -0.1 }
`

// The meta message says of each number what both files declare.
func TestTheBirthMessageExplainsTheNumbers(t *testing.T) {
	site, err := config.Parse("site.toml", []byte(labelledSite))
	if err != nil {
		t.Fatal(err)
	}
	text, err := configs.ReadPolicy("standard")
	if err != nil {
		t.Fatal(err)
	}
	pol, err := policy.Parse("policy.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	b := newBirth(site, pol, "v1")
	line, zone, lane := b.Streams[0], b.Streams[1], b.Streams[2]
	switch {
	case !reflect.DeepEqual(line.Directions, []string{"a_to_b", "b_to_a"}) || *line.Sides != (uplink.Sides{A: "shops", B: "park"}) || *line.Bearing != 0 || *line.Place.Lat != 51.5:
		t.Errorf("line %+v", line)
	case zone.Directions != nil || zone.Place != nil || zone.MadeUp != "":
		t.Errorf("zone %+v", zone)
	case !reflect.DeepEqual(lane.Directions, []string{"b_to_a"}) || lane.MadeUp != "street":
		t.Errorf("lane %+v", lane)
	case b.Place.Lat != nil || b.Place.Name != "lamp post 7":
		t.Errorf("place %+v", b.Place)
	case b.Config.Version != 3 || b.Config.Hash != site.Hash || b.Policy.Version != 1 || b.Policy.Hash != pol.Hash():
		t.Errorf("files %+v %+v", b.Config, b.Policy)
	case b.Clearing.Noise["n"].Scale != 1 || b.Clearing.Noise["mean"].Scale != 2 || b.Clearing.Below != 5:
		t.Errorf("clearing %+v", b.Clearing)
	case b.Retention != pol.Retention() || !reflect.DeepEqual(b.Commands, []string{"resend", "watermark"}) || b.Hours.TimeZone != "UTC" || len(b.Hours.Open) == 0:
		t.Errorf("%+v", b)
	}
}
