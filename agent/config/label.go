package config

import (
	"fmt"

	"kerb/counting"
)

// Label describes the subject of the numbers of one stream, for the platform that reads
// them: the meta message repeats it. It has no effect on counting.
type Label struct {
	SideA, SideB string   // names of the two sides of a line, or of the two ends of a lane
	Bearing      *float64 // of the direction a to b, degrees clockwise from north, 0 ≤ Bearing < 360; nil: not declared
	Place        Place    // of the stream; the zero value: that of the device
}

type labelFile struct {
	ID      string    `toml:"id"`
	A       string    `toml:"a"`
	B       string    `toml:"b"`
	Bearing *float64  `toml:"bearing"`
	Place   placeFile `toml:"place"`
}

type placeFile struct {
	Lat         float64 `toml:"lat"`
	Lon         float64 `toml:"lon"`
	Description string  `toml:"description"`
}

// HasPosition reports whether latitude and longitude are given.
func (p Place) HasPosition() bool { return p.Lat != 0 || p.Lon != 0 }

func (l labelFile) toLabel() Label {
	return Label{SideA: l.A, SideB: l.B, Bearing: l.Bearing, Place: Place(l.Place)}
}

// checkLabels checks the tables [[stream]] against the streams of f.
func (c checker) checkLabels(f siteFile) {
	zones := map[string]bool{}
	for _, cam := range f.Camera {
		for _, z := range cam.Zones {
			zones[z.ID] = true
		}
	}
	seen := map[string]bool{}
	for i, l := range f.Stream {
		key := fmt.Sprintf("stream[%d]", i)
		switch {
		case c.ids[l.ID] == "":
			c.Reject(key+".id", "must be the id of a line, zone or lane of this file", "")
		case seen[l.ID]:
			c.Reject(key+".id", "must be unique", "another [[stream]] has it")
		case zones[l.ID] && (l.A != "" || l.B != "" || l.Bearing != nil):
			c.Reject(key+".id", "must not be a zone where a, b or bearing is given", "a zone has no direction")
		}
		seen[l.ID] = true
		if (l.A == "") != (l.B == "") {
			c.Reject(key+".a", "must come together with b", "the names of the two sides")
		}
		c.checkText(key+".a", l.A)
		c.checkText(key+".b", l.B)
		if l.Bearing != nil && !(*l.Bearing >= 0 && *l.Bearing < fullCircle) {
			c.Reject(key+".bearing", "must be 0–359.9 degrees", "clockwise from north: east is 90")
		}
		c.checkPlace(key+".place", l.Place)
	}
}

// checkPlace checks a position. Latitude and longitude come together: one alone
// would publish a place on the equator or on the meridian of Greenwich.
func (c checker) checkPlace(key string, p placeFile) {
	if isOutside(p.Lat, -maxLatitude, maxLatitude) {
		c.Reject(key+".lat", "must be -90–90 degrees", "")
	}
	if isOutside(p.Lon, -maxLongitude, maxLongitude) {
		c.Reject(key+".lon", "must be -180–180 degrees", "")
	}
	if c.HasKey(key+".lat") != c.HasKey(key+".lon") {
		c.Reject(key+".lat", "must come together with lon", "")
	}
	c.checkText(key+".description", p.Description)
}

// checkText checks the length of a text that is published.
func (c checker) checkText(key, text string) {
	if len(text) > maxText {
		c.Reject(key, "must have at most 200 bytes", "")
	}
}

// MadeUp is the word of the meta message for a camera whose pictures are not of the
// street now: "scene" for the built-in street and "recording" for a file that is
// played in a loop; "" for a camera.
func (c Camera) MadeUp() string {
	switch c.Source.(type) {
	case SceneSource:
		return "scene"
	case RecordingSource:
		return "recording"
	}
	return ""
}

// MadeUp is "street" for simulated vehicles and "" for real loops.
func (l Loops) MadeUp() string {
	if l.Source == madeUpLoops {
		return madeUpLoops
	}
	return ""
}

// madeUpLoops is the value of loop.source for simulated vehicles.
const madeUpLoops = "street"

// checkMadeUp refuses a made-up source beside a broker on another machine. A
// made-up number among the numbers of a city cannot be found later.
func (c checker) checkMadeUp(f siteFile, sources []Source) {
	if f.Device.Bench || isLoopbackURL(f.Broker.URL) {
		return
	}
	const want = "must not go to a broker on another machine: its numbers are made up"
	const hint = "device.bench = true allows it, on a bench; the meta message then marks the stream as made up"
	for i, s := range sources {
		if s != nil && (Camera{Source: s}).MadeUp() != "" {
			c.Reject(fmt.Sprintf("camera[%d].source", i), want, hint)
		}
	}
	if f.Loop.Source == madeUpLoops {
		c.Reject("loop.source", want, hint)
	}
}

// MadeUp is the word of the source of the stream: see Camera.MadeUp and Loops.MadeUp.
func (s *Site) MadeUp(st counting.Stream) string {
	if st.Kind == counting.LoopStream {
		return s.Loops.MadeUp()
	}
	for _, c := range s.Cameras {
		if c.Name == st.Sensor {
			return c.MadeUp()
		}
	}
	return ""
}
