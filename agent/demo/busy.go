package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"kerb/agent/config"
	"kerb/agent/terminal"
	"kerb/agent/uplink"
	"kerb/counting"
	"kerb/drivers/camera/scene"
)

// The crowd of kerb demo -busy: it comes after a quarter of the time, and goes after
// half. The network finds a third of it: drawn people are not what it has learnt, and
// they hide each other. So the alert of the demonstration is raised at 10.
const (
	crowdPeople = 60
	crowdRate   = 1 // pictures per second: nothing is followed
	crowdSeed   = 8
)

// crowdPose looks down at the street from a mast, so that few people hide others.
var crowdPose = scene.Camera{Height: 9, Across: 4, Tilt: 22, FieldOfView: 45}

// checkBusy refuses flags that contradict -busy.
func (d *demonstration) checkBusy() error {
	if d.Busy && (d.Loops || d.Clip != "" || d.JSON) {
		return terminal.UsageError("-busy has a street of its own and no table: it goes without -loops, -json and CLIP")
	}
	return nil
}

// openCrowd opens the street of kerb demo -busy in real time.
func openCrowd(lasting time.Duration) (*scene.Scene, error) {
	o := crowdOpts(scene.Crowd{People: crowdPeople, From: lasting / 4, To: lasting / 2})
	o.Rate, o.Realtime = crowdRate, true
	return scene.New(o)
}

// crowdOpts is the street of a crowd, in which nobody else is.
func crowdOpts(c scene.Crowd) scene.Opts {
	o := scene.Opts{Seed: crowdSeed, Width: 640, Height: 480, Camera: crowdPose, Conditions: scene.Calm.Conditions()}
	o.Conditions.People, o.Conditions.Crowd = 0, c
	return o
}

// crowdCamera is the camera of kerb demo -busy: one zone, for people alone.
func crowdCamera(street *scene.Scene, detector, model string) config.Camera {
	return config.Camera{
		Name: "street", Detector: detector, Model: model, Heights: street.Heights(),
		Zones: []config.Zone{{Zone: crowdZone(street), Classes: []counting.Class{counting.Person}}},
	}
}

// crowdZone is the whole width of the street behind its counting lines: its three zones
// together.
func crowdZone(street *scene.Scene) counting.Zone {
	z := street.Zones()
	left, right := z[1].Polygon, z[2].Polygon // corners: far left, far right, near right, near left
	return counting.Zone{ID: "pavement", Polygon: counting.Polygon{left[0], right[1], right[2], left[3]}}
}

// A busyPrinter prints the state of the zone that the broker keeps, and the events.
type busyPrinter struct {
	mu     sync.Mutex
	out    io.Writer
	events int // "busy" so far
}

// addMessage prints a message on now or an event "busy" as one line for people.
func (b *busyPrinter) addMessage(topic string, payload []byte) {
	if len(payload) == 0 || uplink.IsProof(payload) {
		return
	}
	var m struct {
		Stream string
		Window struct {
			End    time.Time
			Counts []struct{ Min, Below *int }
		}
		Busy []struct{ On bool }
		Kind string
		Data struct {
			On    bool
			Since uint64 `json:"since_seq"`
		}
	}
	if json.Unmarshal(payload, &m) != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case strings.Contains(topic, "/now/") && len(m.Busy) > 0:
		band := "not seen"
		if c := m.Window.Counts; len(c) > 0 {
			band = describeBand(c[0].Min, c[0].Below)
		}
		fmt.Fprintf(b.out, "now    %s  %s: %-17s  busy: %t\n", m.Window.End.Local().Format(time.TimeOnly), m.Stream, band, m.Busy[0].On)
	case m.Kind == "busy":
		b.events++
		word := map[bool]string{true: "begins", false: "ends"}[m.Data.On]
		fmt.Fprintf(b.out, "event  busy %s, by window %d\n", word, m.Data.Since)
	}
}

// describeBand writes a band, such as "5 to 9 people".
func describeBand(from, below *int) string {
	low := 0
	if from != nil {
		low = *from
	}
	if below == nil {
		return fmt.Sprintf("%d people or more", low)
	}
	return fmt.Sprintf("%d to %d people", low, *below-1)
}
